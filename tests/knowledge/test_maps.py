"""Stages are found by name, paired in full or refused, and compared at the smaller size."""

from __future__ import annotations

import pytest
import torch

from kdrun.errors import UserError
from kdrun.knowledge.maps import as_map, last_stage, map_of, paired, paired_maps, same_size, stage_names
from kdrun.signals import Pair, Signals


def side(*layers: str) -> Signals:
    features = {
        layer: torch.empty(4, 2, device="meta") if layer == "pooled" else torch.empty(4, 2, 8, 8, device="meta")
        for layer in layers
    }
    return Signals(torch.empty(4, 5, device="meta"), features)


def pair_of(student: Signals, teacher: Signals) -> Pair:
    return Pair(student, teacher, num_classes=5, example_ids=torch.arange(16))


THREE = ("stage1", "stage2", "stage3")


def test_stages_come_in_order_of_their_numbers() -> None:
    signals = side("stem", "stage10", "stage2", "stage2_preact", "pooled")
    assert stage_names(signals, "student") == ("stage2", "stage10")
    assert stage_names(signals, "student", "_preact") == ("stage2_preact",)
    assert last_stage(signals, "student", None) == "stage10"


def test_a_named_layer_takes_the_place_of_the_last_stage() -> None:
    assert last_stage(side(*THREE), "student", "stage2") == "stage2"


def test_every_stage_is_paired_where_none_is_named() -> None:
    pair = pair_of(side("stem", *THREE, "pooled"), side(*THREE))
    assert paired_maps(pair, None, None) == (THREE, THREE)


def test_a_single_name_stands_for_a_list_of_one() -> None:
    assert paired_maps(pair_of(side(*THREE), side(*THREE)), "stage3", ["stage2"]) == (
        ("stage3",),
        ("stage2",),
    )


@pytest.mark.parametrize(
    ("student_layers", "teacher_layers", "message"),
    [
        (
            None,
            None,
            "stages do not pair up: the student has 3 (stage1, stage2, stage3), the teacher 2 "
            "(stage1, stage2); name as many in student_layers as in teacher_layers",
        ),
        (
            [],
            [],
            "stages do not pair up: the student has 0 (), the teacher 0 (); "
            "name as many in student_layers as in teacher_layers",
        ),
        (
            ["stage1"],
            ["stage3"],
            "the teacher has no layer 'stage3'; choose one of: stage1, stage2, pooled",
        ),
        (
            ["stage9"],
            ["stage1"],
            "the student has no layer 'stage9'; choose one of: stem, stage1, stage2, stage3",
        ),
        (
            ["stage1"],
            ["pooled"],
            "the teacher's layer 'pooled' is no map of channels x height x width, it is 2",
        ),
    ],
)
def test_stages_that_cannot_be_compared_are_refused(
    student_layers: list[str] | None, teacher_layers: list[str] | None, message: str
) -> None:
    pair = pair_of(side("stem", *THREE), side("stage1", "stage2", "pooled"))
    with pytest.raises(UserError) as caught:
        paired_maps(pair, student_layers, teacher_layers)
    assert caught.value.message == message


def test_a_network_without_stages_is_refused_with_the_layers_it_has() -> None:
    with pytest.raises(UserError) as caught:
        stage_names(side("stem", "pooled"), "teacher", "_preact")
    assert caught.value.message == (
        "the teacher names no layers stage1_preact, stage2_preact, ...; name some of: stem, pooled"
    )


def test_vectors_pair_where_maps_are_not_asked_for() -> None:
    pair = pair_of(side("pooled"), side("pooled"))
    assert paired(pair, ["pooled"], ["pooled"]) == (("pooled",), ("pooled",))


def test_a_map_is_given_as_it_is() -> None:
    signals = side("stem")
    assert map_of(signals, "student", "stem") is signals.features["stem"]


def test_a_vector_becomes_a_map_of_one_pixel() -> None:
    assert as_map(torch.zeros(4, 3)).shape == (4, 3, 1, 1)


def test_the_larger_map_is_averaged_to_the_smaller_size() -> None:
    large, small = torch.arange(16.0).view(1, 1, 4, 4), torch.ones(1, 2, 2, 2)
    resized, same = same_size(large, small)
    assert same is small
    assert resized.flatten().tolist() == [2.5, 4.5, 10.5, 12.5]
    assert torch.equal(same_size(small, large)[1], resized)
