"""Distances and angles against their definitions, written out with loops over plain numbers."""

from __future__ import annotations

from itertools import permutations
from math import dist as distance

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from kdrun.knowledge.rkd import rkd

Points = list[list[float]]


def huber(difference: float) -> float:
    return difference**2 / 2 if abs(difference) < 1 else abs(difference) - 0.5


def relative_distances(points: Points) -> list[float]:
    distances = [distance(one, other) for one, other in permutations(points, 2)]
    return [one * len(distances) / sum(distances) for one in distances]


def cosines(points: Points) -> list[float]:
    result = []
    for i, j, k in permutations(points, 3):
        dots = sum((a - b) * (c - b) for a, b, c in zip(i, j, k, strict=True))
        result.append(dots / distance(i, j) / distance(k, j))
    return result


def mean_huber(own: list[float], taught: list[float]) -> float:
    terms = [huber(s - t) for s, t in zip(own, taught, strict=True)]
    return sum(terms) / len(terms) if terms else 0.0


def two_embeddings(rows: int, seed: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    student = torch.randn(rows, 3, generator=generator, dtype=torch.float64)
    return student, torch.randn(rows, 4, generator=generator, dtype=torch.float64)


@settings(max_examples=25, deadline=None)
@given(st.integers(2, 6), st.integers(0, 2**32 - 1), st.floats(0, 50), st.floats(0, 50))
def test_rkd_is_the_huber_loss_of_relative_distances_and_of_cosines(
    rows: int, seed: int, distance_weight: float, angle_weight: float
) -> None:
    student, teacher = two_embeddings(rows, seed)
    own, taught = student.tolist(), teacher.tolist()
    expected = distance_weight * mean_huber(relative_distances(own), relative_distances(taught))
    expected += angle_weight * mean_huber(cosines(own), cosines(taught))
    value = rkd(student, teacher, distance_weight=distance_weight, angle_weight=angle_weight)
    assert value.item() == pytest.approx(expected, rel=1e-10, abs=1e-10)


def test_moving_turning_and_stretching_the_embeddings_costs_nothing() -> None:
    student, teacher = two_embeddings(6, 0)
    turn = torch.linalg.qr(torch.randn(4, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(1)))[0]
    value = rkd(3 * teacher @ turn + 5, teacher, distance_weight=25, angle_weight=50)
    assert value.item() == pytest.approx(0, abs=1e-14)
    assert rkd(student, teacher, distance_weight=25, angle_weight=50) > 0.1


@pytest.mark.parametrize("rows", [1, 2])
def test_too_few_examples_for_a_relation_give_a_finite_value_and_gradient(rows: int) -> None:
    student, teacher = (one.float() for one in two_embeddings(rows, 0))
    student.requires_grad_()
    value = rkd(student, teacher, distance_weight=25, angle_weight=50)
    assert value.item() == pytest.approx(0, abs=1e-6)
    assert torch.autograd.grad(value, student)[0].isfinite().all()


def test_a_pair_of_equal_examples_far_from_the_origin_gives_a_moderate_gradient() -> None:
    student, teacher = (one.float() for one in two_embeddings(5, 0))
    student = student[[0, 0, 1, 2, 3]] + 100
    student.requires_grad_()
    value = rkd(student, teacher, distance_weight=25, angle_weight=50)
    (gradient,) = torch.autograd.grad(value, student)
    assert gradient.abs().max() < 100


def test_nothing_is_as_large_as_triplets_times_width() -> None:
    rows, width = 8, 1000
    largest = 0

    def note(value: Tensor) -> Tensor:
        nonlocal largest
        largest = max(largest, value.numel())
        return value

    student = torch.randn(rows, width, requires_grad=True, generator=torch.Generator().manual_seed(0))
    with torch.autograd.graph.saved_tensors_hooks(note, lambda value: value):
        rkd(student, torch.randn(rows, width), distance_weight=25, angle_weight=50)
    assert largest <= rows * width
