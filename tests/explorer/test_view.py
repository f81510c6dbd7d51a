"""What the explorer shows, before any form of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch

from kdrun.errors import UserError
from kdrun.explorer.rows import class_rows, example_rows, shown_classes, similarity_rows
from kdrun.explorer.view import MOST_SIMILARITIES
from kdrun.explorer.words import caveats


@pytest.mark.parametrize(("classes", "stops"), [(5, 30), (100, 6), (200, 1), (244, 1), (245, 0)])
def test_similarities_are_kept_at_as_many_stops_as_a_page_has_room_for(
    make_view: Any, classes: int, stops: int
) -> None:
    view = make_view(names=tuple(map(str, range(classes))), tau=9.0)
    assert len(view.kept_taus) == stops
    assert len(view.kept_taus) * classes**2 <= MOST_SIMILARITIES
    assert stops == 0 or 9.0 in view.kept_taus
    assert set(view.kept_taus) <= set(view.taus)


def test_a_tau_between_the_stops_becomes_one(make_view: Any) -> None:
    assert make_view(tau=3.3).taus[15:18] == (3.3, 3.5, 4.0)


def test_an_example_that_is_not_in_the_test_part_is_named(make_view: Any) -> None:
    with pytest.raises(UserError, match="no test example has the id 7; there are 100, such as 1000, 1001, 1002"):
        make_view(example=7)


def test_rows_say_of_each_network_what_the_formulas_say(make_view: Any) -> None:
    view = make_view(tau=2.0, alpha=0.25, example=1042)
    row, label = 42, 42 % 5
    facts = {fact["network"]: fact for fact in example_rows(view, row)}
    assert [*facts] == ["teacher", "baseline", "student"]
    z, t = (view.answers.said[role].logits[row].double() for role in ("student", "teacher"))
    soft = (z / 2).softmax(0)
    assert facts["student"]["confidence"] == pytest.approx(soft.max().item())
    assert facts["student"]["outside_top_class"] == pytest.approx(1 - soft.max().item())
    assert facts["student"]["entropy_bits"] == pytest.approx(-(soft * soft.log2()).sum().item())
    own = [one for one in class_rows(view, row) if one["network"] == "student"]
    onehot = torch.nn.functional.one_hot(torch.tensor(label), 5)
    pull = 0.75 * (z.softmax(0) - onehot) + 0.25 * 2 * (soft - (t / 2).softmax(0))
    assert [one["gradient"] for one in own] == pytest.approx(pull.tolist())
    assert [one["is_label"] for one in own] == [k == label for k in range(5)]


def test_similarity_rows_say_nothing_of_a_class_without_examples(make_view: Any) -> None:
    view = make_view()
    lacking = replace(view.answers, test=replace(view.answers.test, labels=view.answers.test.labels % 4))
    rows = list(similarity_rows(replace(view, answers=lacking), (1.0, 2.0)))
    assert len(rows) == 2 * 5 * 5
    assert {row["of"] for row in rows if row["mean_probability"] is None} == {view.names[4]}


def test_the_label_is_among_the_classes_that_are_shown(make_view: Any) -> None:
    view = make_view(names=tuple(map(str, range(40))))
    for row in range(40):
        shown = shown_classes(view, row)
        assert len(shown) == len(set(shown)) == 12
        assert int(view.answers.test.labels[row]) in shown


def test_the_reader_is_told_where_the_pull_is_not_that_of_the_training(make_view: Any) -> None:
    student = make_view().learners["student"].spec
    assert caveats(make_view()) == []
    weighted = replace(student, terms={"kd": {"tau": 4.0, "weight": 2.0, "standardise": False}})
    assert "another loss" in caveats(make_view(student=weighted))[0]
    control = replace(student, kind="control", targets={"_target_": "kdrun.teachers.substitutes.Argmax"})
    assert "another loss" in caveats(make_view(student=control))[0]
