"""Which runs train side by side, and how large a group may be."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from carrying import lab_at, plan

from kdrun.executors import limits as limits_module
from kdrun.executors.groups import cut, groups
from kdrun.executors.limits import Limits
from kdrun.experiment.memory import training_bytes
from kdrun.runs.spec import RunSpec


def _grouped(*overrides: str) -> list[list[RunSpec]]:
    """The groups of a plan's runs but for its teachers."""
    return groups((spec for spec in plan(*overrides) if spec.kind != "teacher"), lambda _: "live")


@pytest.mark.parametrize(
    "overrides",
    [
        ("tau=1,2,4",),
        ("alpha=0.1,0.9",),
        ("knowledge=response/kd,response/logit_mse",),
        ("student=mlp30,mlp64",),
        ("train.student.optimizer.lr=0.1,0.01",),
        ("data_seed=0", "seeds=[0,1,2]"),
    ],
    ids=" ".join,
)
def test_runs_that_differ_in_what_only_they_compute_train_side_by_side(overrides: tuple[str, ...]) -> None:
    (group,) = _grouped(*overrides)
    assert {spec.kind for spec in group} == {"baseline", "control", "student"}


@pytest.mark.parametrize(
    "overrides",
    [
        ("seeds=[0,1]",),
        ("data_seed=0,1",),
        ("train_size=40,50",),
        ("dataset.split_seed=0,1",),
        ("precision=fp32,bf16",),
        ("train.student.epochs=2,3",),
        ("train.student.batch_size=10,20",),
        ("train.student.augment.padding=0,1",),
        ("train.student.augment.flip=true,false",),
    ],
    ids=" ".join,
)
def test_runs_that_differ_in_their_batches_are_grouped_apart(overrides: tuple[str, ...]) -> None:
    first, second = _grouped(*overrides)
    assert len(first) == len(second) == 3


def test_students_of_two_teachers_are_grouped_apart_and_the_baseline_goes_with_the_first() -> None:
    first, second = _grouped("teacher=mlp30,mlp64")
    assert [spec.kind for spec in first] == ["baseline", "control", "student"]
    assert [spec.kind for spec in second] == ["student"]
    assert first[-1].teacher != second[0].teacher


def test_numbers_typed_in_another_way_and_data_at_another_place_do_not_part_a_group() -> None:
    specs = plan("train.student.augment.padding=1")
    teacher, student = specs[0], specs[-1]
    numbers = {"batch_size": float(student.recipe["batch_size"]), "augment": {"padding": 1.0, "flip": False}}
    moved = {**student.dataset, "source": {**student.dataset["source"], "folder": "b"}, "places": {"folder": "1"}}
    before = replace(student, dataset={**moved, "source": {**moved["source"], "folder": "a"}}, alpha=0.1)
    again = replace(student, dataset=moved, recipe={**student.recipe, **numbers}, teacher=replace(teacher, seed=0.0))
    assert groups([before, again], lambda _: "live") == [[before, again]]


def test_every_run_is_in_exactly_one_group() -> None:
    specs = plan("tau=1,2", "teacher=mlp30,mlp64", "seeds=[0,1]")
    grouped = [spec for group in groups(specs, lambda _: "live") for spec in group]
    assert sorted(grouped, key=lambda spec: spec.run_id) == sorted(specs, key=lambda spec: spec.run_id)


@pytest.mark.parametrize(
    ("most", "room", "sizes"),
    [(100, 100, [7]), (3, 100, [3, 3, 1]), (1, 100, [1] * 7), (100, 20, [2, 2, 2, 1]), (100, 1, [1] * 7)],
)
def test_a_group_is_cut_at_the_most_runs_and_at_the_room_there_is(most: int, room: int, sizes: list[int]) -> None:
    (group,) = _grouped("tau=1,2,4,8,16")
    pieces = cut(group, most=most, room=room, size_of=lambda _: 10)
    assert [len(piece) for piece in pieces] == sizes
    assert [spec for piece in pieces for spec in piece] == group


SGD = {"_target_": "torch.optim.SGD", "lr": 0.1}
PIXELS, HIDDEN, CLASSES, BATCH = 36, 30, 4, 20
WEIGHTS = (PIXELS + 1) * HIDDEN + (HIDDEN + 1) * HIDDEN + (HIDDEN + 1) * CLASSES


@pytest.mark.parametrize(
    ("optimizer", "moments"), [({"_target_": "torch.optim.AdamW"}, 2), (SGD, 0), ({**SGD, "momentum": 0.9}, 1)]
)
def test_a_run_holds_its_weights_and_moments_while_others_step(
    tmp_path: Path, optimizer: dict[str, Any], moments: int
) -> None:
    spec = plan("student.dropout=0.1")[-1]
    spec = replace(spec, recipe={**spec.recipe, "optimizer": optimizer})
    assert training_bytes(spec, lab_at(tmp_path)) == (1 + moments) * 4 * WEIGHTS


def test_a_run_that_can_be_stacked_holds_gradients_and_activations_as_well(tmp_path: Path) -> None:
    alone, stacked = (training_bytes(plan(f"student.dropout={share}")[-1], lab_at(tmp_path)) for share in (0.1, 0.0))
    assert stacked - alone == 4 * (WEIGHTS + BATCH * 2 * HIDDEN)


def test_groups_take_no_more_than_their_share_of_the_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lab, specs = lab_at(tmp_path), plan("tau=1,2,4,8", "controls=[]")[1:]
    needed = training_bytes(specs[0], lab)
    monkeypatch.setattr(limits_module, "available_bytes", lambda _: 5 * needed)
    assert [len(group) for group in Limits(100, 0.5).groups(specs, lab)] == [2, 2, 1]
    assert [len(group) for group in Limits(100, 1.0).groups(specs, lab)] == [5]
