"""Flow matrices against their definition, written out with loops."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from kdrun.errors import UserError
from kdrun.knowledge.fsp import FSP, fsp
from kdrun.knowledge.made_up import example_pair


def maps(seed: int, *shapes: tuple[int, int, int]) -> list[Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(2, *shape, generator=generator, dtype=torch.float64) for shape in shapes]


def flow(first: Tensor, second: Tensor, b: int, i: int, j: int) -> float:
    height, width = first.shape[2:]
    cells = [(h, w) for h in range(height) for w in range(width)]
    return sum(first[b, i, h, w].item() * second[b, j, h, w].item() for h, w in cells) / len(cells)


def mean_square(student: list[Tensor], teacher: list[Tensor]) -> float:
    first, second = student[0].shape[1], student[1].shape[1]
    places = [(b, i, j) for b in range(2) for i in range(first) for j in range(second)]
    return sum((flow(*student, *at) - flow(*teacher, *at)) ** 2 for at in places) / len(places)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 3), st.integers(1, 3), st.integers(1, 3))
def test_fsp_adds_up_the_mean_squares_over_successive_layers(seed: int, one: int, two: int, side: int) -> None:
    student = maps(seed, (one, 2, 3), (two, 2, 3), (one, 2, 3))
    teacher = maps(seed + 1, (one, side, side), (two, side, side), (one, side, side))
    expected = sum(mean_square(student[at : at + 2], teacher[at : at + 2]) for at in (0, 1))
    assert fsp(student, teacher).item() == pytest.approx(expected, rel=1e-10, abs=1e-10)


def test_the_larger_map_of_two_is_max_pooled_to_the_smaller() -> None:
    large, small, teacher, other = maps(0, (2, 4, 4), (3, 2, 2), (2, 2, 2), (3, 2, 2))
    pooled = large.unflatten(2, (2, 2)).unflatten(4, (2, 2)).amax(dim=(3, 5))
    assert fsp([large, small], [teacher, other]) == fsp([pooled, small], [teacher, other])


def test_unequal_channels_are_refused_naming_the_layers() -> None:
    with pytest.raises(UserError, match="the student's stage1 has 2, the teacher's stage1 3"):
        FSP(example_pair(2, 3), student_layers=["stage1", "stage2"], teacher_layers=["stage1", "stage2"])


def test_lists_of_different_lengths_are_refused() -> None:
    with pytest.raises(UserError, match="do not pair up"):
        FSP(example_pair(2, 2), student_layers=["stem", "stage1"], teacher_layers=["stem"])


def test_a_single_layer_is_refused() -> None:
    with pytest.raises(UserError, match="two layers or more, got stem"):
        FSP(example_pair(2, 2), student_layers=["stem"], teacher_layers=["stem"])


def test_a_vector_is_refused() -> None:
    with pytest.raises(UserError, match="layer 'pooled' is no map"):
        FSP(example_pair(2, 2), student_layers=["stage3", "pooled"], teacher_layers=["stage3", "pooled"])


def test_every_stage_is_read_unless_told_otherwise() -> None:
    term = FSP(example_pair(2, 2), student_layers=None, teacher_layers=None)
    assert term.student_layers == term.teacher_layers == ("stage1", "stage2", "stage3")
