"""DIST against its definition, written out with loops over plain numbers."""

from __future__ import annotations

from math import exp

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from kdrun.knowledge.dist import dist

STUDENT = torch.tensor([[1, 2, 3], [0, 0, 1]], dtype=torch.float64)
TEACHER = torch.tensor([[3, 1, 0], [1, 2, 0]], dtype=torch.float64)


def softmax(row: list[float], tau: float) -> list[float]:
    powers = [exp(value / tau) for value in row]
    return [power / sum(powers) for power in powers]


def pearson(x: list[float], y: list[float]) -> float:
    x, y = ([value - sum(line) / len(line) for value in line] for line in (x, y))
    lengths = (sum(a * a for a in x) * sum(b * b for b in y)) ** 0.5
    return sum(a * b for a, b in zip(x, y, strict=True)) / (lengths + 1e-8)


def mean_correlation(x: list[list[float]], y: list[list[float]]) -> float:
    return sum(map(pearson, x, y)) / len(x)


@pytest.mark.parametrize(("inter", "intra", "golden"), [(1, 0, 1.7354276933), (0, 1, 1.999997982)])
def test_both_parts_have_their_golden_values(inter: float, intra: float, golden: float) -> None:
    value = dist(STUDENT, TEACHER, tau=1, inter_weight=inter, intra_weight=intra)
    assert value.item() == pytest.approx(golden, abs=1e-9)


@settings(max_examples=25, deadline=None)
@given(st.integers(2, 5), st.integers(2, 5), st.integers(0, 2**32 - 1), st.floats(0.5, 8), st.floats(0, 3))
def test_dist_is_the_lack_of_correlation_of_rows_and_columns(
    rows: int, classes: int, seed: int, tau: float, inter_weight: float
) -> None:
    generator = torch.Generator().manual_seed(seed)
    student, teacher = torch.randn(2, rows, classes, generator=generator, dtype=torch.float64)
    own, taught = ([softmax(row, tau) for row in one.tolist()] for one in (student, teacher))
    columns = ([list(column) for column in zip(*one, strict=True)] for one in (own, taught))
    expected = inter_weight * (1 - mean_correlation(own, taught)) + 2 * (1 - mean_correlation(*columns))
    value = dist(student, teacher, tau=tau, inter_weight=inter_weight, intra_weight=2)
    assert value.item() == pytest.approx(tau**2 * expected, rel=1e-10, abs=1e-10)


@pytest.mark.parametrize(("inter", "intra"), [(1, 0), (0, 1)])
def test_each_part_is_0_where_the_networks_agree(inter: float, intra: float) -> None:
    value = dist(TEACHER, TEACHER, tau=1, inter_weight=inter, intra_weight=intra)
    assert value.item() == pytest.approx(0, abs=1e-5)


def test_the_gradient_grows_with_the_square_of_tau_as_the_docstring_says() -> None:
    student = STUDENT.clone().requires_grad_()
    norms = []
    for tau in (16.0, 64.0):
        value = dist(student, TEACHER, tau=tau, inter_weight=1, intra_weight=0)
        norms.append(torch.autograd.grad(value, student)[0].norm().item())
    assert norms[1] / norms[0] == pytest.approx(16, rel=0.1)
