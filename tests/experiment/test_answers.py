"""What networks say of the test part."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from carrying import carry_out

from kdrun.errors import UserError
from kdrun.experiment.answers import answers
from kdrun.experiment.lab import Lab
from kdrun.runs.spec import RunSpec

Specs = Callable[..., dict[str, RunSpec]]


def test_each_network_says_what_its_run_has_kept(lab: Lab, specs: Specs) -> None:
    runs = specs("teacher=mlp30", "student=mlp30", "controls=[]")
    assert carry_out(list(runs.values()), lab.store.outputs) == []
    given = answers(runs["student"], lab)
    assert list(given.said) == ["teacher", "baseline", "student"]
    for role, said in given.said.items():
        assert said.spec == runs[role]
        assert said.logits.argmax(1).tolist() == lab.store.folder(runs[role]).predictions().predicted.tolist()
    assert given.test.ids.tolist() == lab.data(runs["student"].dataset).splits.test.ids.tolist()
    alone = answers(runs["teacher"], lab)
    assert torch.equal(alone.said["teacher"].logits, given.said["teacher"].logits)
    assert list(alone.said) == ["teacher"]


def test_the_network_of_a_term_with_a_head_of_its_own_is_the_one_that_was_kept(lab: Lab, specs: Specs) -> None:
    given: tuple[Any, ...] = ("teacher=conv_m", "student=conv_s", "knowledge=feature/simkd", "controls=[]")
    runs = specs(*given, "alpha=1")
    wanted = [runs["teacher"], runs["student"]]
    assert carry_out(wanted, lab.store.outputs) == []
    said = answers(runs["student"], lab).said
    assert list(said) == ["teacher", "student"]  # no baseline was trained
    predicted = lab.store.folder(runs["student"]).predictions().predicted.tolist()
    assert said["student"].logits.argmax(1).tolist() == predicted


def test_other_data_than_the_runs_are_refused(lab: Lab, specs: Specs) -> None:
    teacher = specs()["teacher"]
    other = replace(teacher, dataset={**teacher.dataset, "content": {"file_sha256": "0"}})
    with pytest.raises(UserError, match=r"the blobs data under .* are not those that teacher-"):
        answers(other, lab)
