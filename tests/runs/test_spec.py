"""A run's identity."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from kdrun.runs.spec import RunSpec

TEACHER = RunSpec(
    kind="teacher",
    seed=0,
    data_seed=0,
    dataset={"name": "blobs", "split_seed": 0},
    train_size=None,
    model={"name": "mlp", "widths": [8]},
    recipe={"epochs": 2, "optimizer": {"lr": 0.1}},
    precision="fp32",
)
STUDENT = replace(
    TEACHER,
    kind="student",
    alpha=0.7,
    label_weight=None,
    terms={"kd": {"tau": 4.0}},
    mode={"name": "offline"},
    teacher=TEACHER,
)


def test_equal_descriptions_are_one_run() -> None:
    again = replace(STUDENT, model={"widths": [8], "name": "mlp"})
    assert again == STUDENT
    assert len({again, STUDENT}) == 1


@pytest.mark.parametrize(
    "change",
    [
        {"seed": 1},
        {"data_seed": 1},
        {"train_size": 10},
        {"dataset": {"name": "blobs", "split_seed": 1}},
        {"model": {"name": "mlp", "widths": [9]}},
        {"recipe": {"epochs": 2, "optimizer": {"lr": 0.2}}},
        {"precision": "bf16"},
        {"alpha": 0.5},
        {"terms": {"kd": {"tau": 8.0}}},
        {"targets": {"_target_": "Argmax"}},
        {"teacher_dtype": "fp16"},
        {"teacher": None},
        {"teacher": replace(TEACHER, seed=1)},
        {"starts_from": TEACHER},
        {"made_of": (TEACHER,)},
    ],
    ids=lambda change: next(iter(change)),
)
def test_whatever_can_change_a_result_changes_the_fingerprint(change: dict[str, Any]) -> None:
    assert replace(STUDENT, **change).fingerprint != STUDENT.fingerprint


def test_the_folders_name_says_what_is_in_it() -> None:
    assert STUDENT.run_id == f"student-mlp-blobs-{STUDENT.fingerprint}"
    assert STUDENT.title == "student mlp of mlp, kd, tau 4, alpha 0.7, seed 0"


def test_a_title_says_what_teaches_and_what_is_shown() -> None:
    alone = replace(STUDENT, teacher=None, mode={"name": "ps_kd"})
    assert alone.title == "student mlp, ps_kd, kd, tau 4, alpha 0.7, seed 0"
    shown = replace(STUDENT, examples={"omit": ["3", "7"], "transfer": "both"})
    assert shown.title == "student mlp of mlp, kd, tau 4, alpha 0.7, omit 3+7, transfer both, seed 0"
    assert shown.baseline.title == "baseline mlp, omit 3+7, as many steps as transfer both, seed 0"


def test_each_parent_has_a_name_and_all_of_them_come_first_once() -> None:
    start, part = replace(TEACHER, seed=1), replace(TEACHER, seed=2)
    spec = replace(STUDENT, starts_from=start, made_of=(part, start))
    assert spec.parents == (part, start, TEACHER)
    described = spec.description()
    assert described["teacher"] == TEACHER.fingerprint
    assert described["starts_from"] == start.fingerprint
    assert described["made_of"] == [part.fingerprint, start.fingerprint]


def test_a_run_that_trains_nothing_calls_no_teacher_while_it_is_trained() -> None:
    fitted = replace(STUDENT, terms={}, recipe={**STUDENT.recipe, "epochs": 0}, made_of=(STUDENT,))
    assert (STUDENT.calls_teacher, fitted.calls_teacher, TEACHER.calls_teacher) == (True, False, False)
