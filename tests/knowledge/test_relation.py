"""Losses on pairs of examples against their definitions, written out with loops over plain numbers."""

from __future__ import annotations

from collections.abc import Callable
from math import exp, factorial, log

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from kdrun.errors import UserError
from kdrun.knowledge.made_up import example_pair
from kdrun.knowledge.relation import PKT, Correlation, Similarity, correlation, pkt, similarity

Matrix = list[list[float]]

loops = settings(max_examples=25, deadline=None)
sizes = st.tuples(st.integers(1, 5), st.integers(1, 4), st.integers(1, 4), st.integers(0, 2**32 - 1))


def two_embeddings(size: tuple[int, int, int, int]) -> tuple[Tensor, Tensor]:
    rows, student_width, teacher_width, seed = size
    generator = torch.Generator().manual_seed(seed)
    student = torch.randn(rows, student_width, generator=generator, dtype=torch.float64)
    return student, torch.randn(rows, teacher_width, generator=generator, dtype=torch.float64)


def dot(x: list[float], y: list[float]) -> float:
    return sum(a * b for a, b in zip(x, y, strict=True))


def between_all(x: Tensor, relation: Callable[[list[float], list[float]], float]) -> Matrix:
    return [[relation(one, other) for other in x.tolist()] for one in x.tolist()]


def cosine(x: list[float], y: list[float]) -> float:
    return dot(x, y) / (dot(x, x) * dot(y, y)) ** 0.5


def mean_square(x: Matrix, y: Matrix) -> float:
    return sum((x[i][j] - y[i][j]) ** 2 for i in range(len(x)) for j in range(len(x))) / len(x) ** 2


@loops
@given(sizes)
def test_similarity_compares_inner_products_with_rows_at_length_1(size: tuple[int, int, int, int]) -> None:
    student, teacher = two_embeddings(size)
    rows = []
    for one in (student, teacher):
        products = between_all(one, dot)
        rows.append([[value / dot(row, row) ** 0.5 for value in row] for row in products])
    assert similarity(student, teacher).item() == pytest.approx(mean_square(*rows), rel=1e-10, abs=1e-10)


@loops
@given(sizes, st.floats(0.1, 2), st.integers(1, 4))
def test_correlation_compares_taylor_series_of_the_gaussian_kernel(
    size: tuple[int, int, int, int], gamma: float, order: int
) -> None:
    def kernel(x: list[float], y: list[float]) -> float:
        terms = [(2 * gamma * cosine(x, y)) ** power / factorial(power) for power in range(order + 1)]
        return exp(-2 * gamma) * sum(terms)

    student, teacher = two_embeddings(size)
    expected = mean_square(between_all(student, kernel), between_all(teacher, kernel))
    value = correlation(student, teacher, gamma=gamma, order=order)
    assert value.item() == pytest.approx(expected, rel=1e-10, abs=1e-10)


def test_a_long_series_is_the_gaussian_kernel_itself() -> None:
    student, teacher = two_embeddings((4, 3, 2, 0))

    def gaussian(x: list[float], y: list[float]) -> float:
        return exp(-0.4 * (2 - 2 * cosine(x, y)))

    expected = mean_square(between_all(student, gaussian), between_all(teacher, gaussian))
    assert correlation(student, teacher, gamma=0.4, order=20).item() == pytest.approx(expected, abs=1e-12)


@loops
@given(sizes)
def test_pkt_is_the_mean_divergence_of_neighbour_probabilities(size: tuple[int, int, int, int]) -> None:
    student, teacher = two_embeddings(size)
    own, taught = [], []
    for probs, one in ((own, student), (taught, teacher)):
        affinities = between_all(one, lambda x, y: (cosine(x, y) + 1) / 2)
        probs.extend([[value / sum(row) for value in row] for row in affinities])
    terms = [
        t * log((t + 1e-7) / (s + 1e-7))
        for row, taught_row in zip(own, taught, strict=True)
        for s, t in zip(row, taught_row, strict=True)
    ]
    assert pkt(student, teacher).item() == pytest.approx(sum(terms) / size[0] ** 2, rel=1e-10, abs=1e-10)


@pytest.mark.parametrize(
    "loss",
    [similarity, pkt, lambda student, teacher: correlation(student, teacher, gamma=0.4, order=2)],
    ids=["similarity", "pkt", "correlation"],
)
def test_turning_the_embeddings_in_space_costs_nothing(loss: Callable[[Tensor, Tensor], Tensor]) -> None:
    student, _ = two_embeddings((5, 4, 4, 1))
    turn = torch.linalg.qr(torch.randn(4, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(2)))[0]
    assert loss(student @ turn, student).item() == pytest.approx(0, abs=1e-14)


def test_similarity_reads_the_last_stage_unless_told_otherwise() -> None:
    term = Similarity(example_pair(), student_layer=None, teacher_layer="stage2")
    assert (term.student_layers, term.teacher_layers) == (("stage3",), ("stage2",))


def test_a_layer_that_is_not_there_is_refused_with_those_there_are() -> None:
    with pytest.raises(UserError, match="the teacher has no layer 'stage9'; choose one of: stem, stage1"):
        PKT(example_pair(), student_layer="pooled", teacher_layer="stage9")
    with pytest.raises(UserError, match="the student has no layer 'fc'"):
        Correlation(example_pair(), student_layer="fc", teacher_layer="pooled", gamma=0.4, order=2)
