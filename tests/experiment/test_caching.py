"""What names a table or a schedule of a teacher's outputs, and the data of a process."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from carrying import lab_at, plan

from kdrun.errors import UserError
from kdrun.experiment.caching import Kind, folder_name
from kdrun.runs.spec import RunSpec

KINDS: tuple[Kind, ...] = ("table", "schedule")


def _student() -> RunSpec:
    return plan("controls=[]", "train.student.augment.padding=1")[-1]


def _at(folder: str) -> dict[str, Any]:
    dataset = _student().dataset
    return {**dataset, "source": {**dataset["source"], "folder": folder}, "places": {"folder": None}}


def _changed(spec: RunSpec, **recipe: Any) -> RunSpec:
    return replace(spec, recipe={**spec.recipe, **recipe})


@pytest.mark.parametrize("kind", KINDS)
def test_data_at_another_place_and_numbers_typed_in_another_way_use_what_is_there(kind: Kind) -> None:
    here = replace(_student(), dataset=_at("here"))
    there = replace(_student(), dataset=_at("there"))
    retyped = _changed(there, batch_size=20.0, augment={"padding": 1.0, "flip": False})
    assert len({folder_name(kind, spec, "cpu") for spec in (here, there, retyped)}) == 1


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "change",
    [
        {"dataset": {**_student().dataset, "split_seed": 1}},
        {"train_size": 50},
        {"examples": {"omit": ["1"]}},
        {"precision": "bf16"},
        {"teacher_dtype": "fp16"},
        {"teacher": _student().baseline},
        {"recipe": {**_student().recipe, "augment": {"padding": 2, "flip": False}}},
    ],
    ids=lambda change: next(iter(change)),
)
def test_what_changes_the_teachers_outputs_has_a_name_of_its_own(kind: Kind, change: dict[str, Any]) -> None:
    assert folder_name(kind, replace(_student(), **change), "cpu") != folder_name(kind, _student(), "cpu")


def test_what_only_the_student_computes_does_not_name_a_table() -> None:
    other = _changed(replace(_student(), seed=3, data_seed=3, alpha=0.2), batch_size=10, epochs=9)
    assert folder_name("table", other, "cpu") == folder_name("table", _student(), "cpu")
    assert folder_name("schedule", other, "cpu") != folder_name("schedule", _student(), "cpu")


def test_a_process_loads_data_once_whatever_their_place_and_their_numbers_type(tmp_path: Path) -> None:
    lab, dataset = lab_at(tmp_path), _student().dataset
    retyped = {**dataset, "source": {**dataset["source"], "examples": 300}, "split_seed": 0.0}
    assert lab.data(dataset) is lab.data(retyped)
    assert lab.data(dataset) is lab.data({**dataset, "places": {"folder": None}})
    assert lab.data(dataset) is not lab.data({**dataset, "split_seed": 1})


def test_a_share_of_one_is_refused_also_after_one_example_was_taken(tmp_path: Path) -> None:
    lab, dataset = lab_at(tmp_path), _student().dataset
    assert len(lab.data({**dataset, "validation_size": 1}).splits.validation) == 1
    with pytest.raises(UserError, match=r"validation_size must be a number of examples .* got 1\.0"):
        lab.data({**dataset, "validation_size": 1.0})
