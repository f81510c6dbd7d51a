"""Losses on logits against their definitions, written out with loops over plain numbers."""

from __future__ import annotations

from math import exp, log

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional as F

from kdrun.errors import UserError
from kdrun.knowledge.made_up import example_pair
from kdrun.knowledge.response import (
    LabelSmoothing,
    SoftTargets,
    kd,
    label_smoothing,
    logit_mse,
    standardised,
)

STUDENT = torch.tensor([[1, 2, 3], [0, 0, 1]], dtype=torch.float64)
TEACHER = torch.tensor([[3, 1, 0], [1, 2, 0]], dtype=torch.float64)

examples = settings(max_examples=25, deadline=None)
sizes = st.tuples(st.integers(1, 5), st.integers(2, 6), st.integers(0, 2**32 - 1))
taus = st.floats(0.5, 20)


def two_networks(size: tuple[int, int, int]) -> tuple[Tensor, Tensor, Tensor]:
    rows, classes, seed = size
    generator = torch.Generator().manual_seed(seed)
    student, teacher = torch.randn(2, rows, classes, generator=generator, dtype=torch.float64) * 3
    return student, teacher, torch.randint(classes, (rows,), generator=generator)


def softmax(row: list[float], tau: float = 1.0) -> list[float]:
    powers = [exp(value / tau) for value in row]
    return [power / sum(powers) for power in powers]


def divergence(p: list[float], q: list[float]) -> float:
    return sum(a * log(a / b) for a, b in zip(p, q, strict=True) if a > 0)


@pytest.mark.parametrize(("tau", "golden"), [(1, 1.1570712875), (4, 1.4564824548)])
def test_kd_has_its_golden_value(tau: float, golden: float) -> None:
    assert kd(STUDENT, TEACHER, tau=tau).item() == pytest.approx(golden, abs=1e-9)


def test_logit_mse_has_its_golden_value() -> None:
    assert logit_mse(STUDENT, TEACHER).item() == pytest.approx(3.3333333333, abs=1e-9)


def test_kd_of_standardised_logits_has_its_golden_value() -> None:
    value = kd(standardised(STUDENT), standardised(TEACHER), tau=2)
    assert value.item() == pytest.approx(1.2554246621, abs=1e-9)


@examples
@given(sizes, taus)
def test_kd_is_tau_squared_times_the_divergence_of_softened_probabilities(
    size: tuple[int, int, int], tau: float
) -> None:
    student, teacher, _ = two_networks(size)
    rows = zip(teacher.tolist(), student.tolist(), strict=True)
    expected = tau**2 * sum(divergence(softmax(t, tau), softmax(s, tau)) for t, s in rows) / size[0]
    assert kd(student, teacher, tau=tau).item() == pytest.approx(expected, rel=1e-10, abs=1e-10)


def test_kd_tends_to_half_the_mean_square_of_centred_logits_as_tau_grows() -> None:
    assert kd(STUDENT, TEACHER, tau=1e4).item() == pytest.approx(1.4444444444, abs=1e-4)


@examples
@given(sizes)
def test_logit_mse_is_the_mean_over_examples_and_classes(size: tuple[int, int, int]) -> None:
    student, teacher, _ = two_networks(size)
    pairs = zip(student.flatten().tolist(), teacher.flatten().tolist(), strict=True)
    expected = sum((s - t) ** 2 for s, t in pairs) / (size[0] * size[1])
    assert logit_mse(student, teacher).item() == pytest.approx(expected, rel=1e-10)


@examples
@given(sizes)
def test_standardised_logits_have_mean_0_and_unbiased_deviation_1(size: tuple[int, int, int]) -> None:
    student, _, _ = two_networks(size)
    for row, result in zip(student.tolist(), standardised(student).tolist(), strict=True):
        mean = sum(row) / len(row)
        deviation = (sum((value - mean) ** 2 for value in row) / (len(row) - 1)) ** 0.5
        expected = [(value - mean) / (deviation + 1e-7) for value in row]
        assert result == pytest.approx(expected, rel=1e-10, abs=1e-10)


def test_standardising_makes_kd_blind_to_shift_and_scale_of_the_teacher() -> None:
    plain = kd(standardised(STUDENT), standardised(TEACHER), tau=2)
    moved = kd(standardised(STUDENT), standardised(5 * TEACHER + 7), tau=2)
    assert moved.item() == pytest.approx(plain.item(), rel=1e-6)


@examples
@given(sizes, st.floats(0, 1))
def test_label_smoothing_is_the_divergence_from_smoothed_labels(size: tuple[int, int, int], smoothing: float) -> None:
    student, _, labels = two_networks(size)
    total = 0.0
    for row, label in zip(student.tolist(), labels.tolist(), strict=True):
        smoothed = [smoothing / len(row)] * len(row)
        smoothed[label] += 1 - smoothing
        total += divergence(smoothed, softmax(row))
    value = label_smoothing(student, labels, smoothing=smoothing)
    assert value.item() == pytest.approx(total / size[0], rel=1e-10, abs=1e-10)


@examples
@given(sizes, st.floats(0, 1))
def test_label_smoothing_has_the_gradient_of_smoothed_cross_entropy(
    size: tuple[int, int, int], smoothing: float
) -> None:
    student, _, labels = two_networks(size)
    student.requires_grad_()
    ours = torch.autograd.grad(label_smoothing(student, labels, smoothing=smoothing), student)[0]
    usual = torch.autograd.grad(F.cross_entropy(student, labels, label_smoothing=smoothing), student)[0]
    torch.testing.assert_close(ours, usual, rtol=1e-10, atol=1e-12)


def test_label_smoothing_is_0_where_the_student_says_the_smoothed_labels() -> None:
    says = torch.tensor([[0.9, 0.05, 0.05]], dtype=torch.float64).log()
    value = label_smoothing(says, torch.tensor([0]), smoothing=0.15)
    assert value.item() == pytest.approx(0, abs=1e-12)


def test_a_temperature_of_0_is_refused() -> None:
    with pytest.raises(UserError, match="tau must be > 0, got 0"):
        SoftTargets(example_pair(), tau=0, standardise=False)


def test_smoothing_above_1_is_refused() -> None:
    with pytest.raises(UserError, match=r"smoothing must be between 0 and 1, got 1\.5"):
        LabelSmoothing(example_pair(), smoothing=1.5)
