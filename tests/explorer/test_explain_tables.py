"""The explorer on a terminal."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from rich.console import Console

from kdrun.explorer.rows import class_rows
from kdrun.explorer.tables import percent, signed, tables


def _shown(view: Any) -> str:
    console = Console(width=120, no_color=True)
    with console.capture() as capture:
        console.print(tables(view), highlight=False)
    return capture.get()


@pytest.mark.parametrize(
    ("probability", "text"), [(0, "0.00"), (1e-9, "<0.01"), (0.00005, "0.01"), (0.5, "50.00"), (1, "100.00")]
)
def test_a_trace_of_probability_is_not_written_as_none(probability: float, text: str) -> None:
    assert percent(probability) == text


def test_a_pull_has_its_sign_but_zero_has_none() -> None:
    assert [signed(number) for number in (0.1234, -2.0, -0.0001)] == ["+0.123", "-2.000", "0.000"]


def test_the_tables_hold_the_numbers_of_the_example(make_view: Any) -> None:
    view = make_view(names=("cat", "dog", "cow"), tau=2.0, alpha=0.3)
    shown = _shown(view)
    label = view.names[int(view.answers.test.labels[view.chosen[0].row])]
    rows = list(class_rows(view, view.chosen[0].row))
    for name in view.names:
        line = next(line for line in shown.splitlines() if line.startswith(name)).replace("(label)", "").split()
        of_class = [row for row in rows if row["class"] == name]
        expected = [percent(row["probability"]) for row in of_class]
        assert line[1:] == [*expected, *(signed(-row["gradient"]) for row in of_class[1:])]
    assert f"{label} (label)" in shown
    assert "tau 2, alpha 0.3" in shown


def test_names_are_shown_as_text_and_without_control_characters(make_view: Any) -> None:
    shown = _shown(make_view(names=("[red]cat[/]", "d\x1bog", "日本語")))
    assert "[red]cat[/]" in shown
    assert "d?og" in shown
    assert "日本語" in shown
    assert "\x1b" not in shown


def test_a_teacher_alone_has_no_pull(make_view: Any) -> None:
    shown = _shown(make_view(student=None))
    assert "pull" not in shown
    assert "alpha" not in shown


def test_many_classes_have_their_likeliest_the_rest_and_pairs_without_a_matrix(make_view: Any) -> None:
    view = make_view(names=tuple(f"class {number}" for number in range(40)))
    shown = _shown(view)
    assert "the other 28" in shown
    assert "rows are labels" not in shown
    assert "Most alike" in shown


def test_a_class_without_examples_leaves_its_row_empty(make_view: Any) -> None:
    view = make_view(names=("cat", "dog", "cow"))
    lacking = replace(view.answers, test=replace(view.answers.test, labels=view.answers.test.labels % 2))
    shown = _shown(replace(view, answers=lacking))
    assert next(line for line in reversed(shown.splitlines()) if line.startswith("cow ")).split() == [
        "cow",
        "-",
        "-",
        "-",
    ]
