"""Decoupled distillation against its definition, written out with loops over plain numbers."""

from __future__ import annotations

from math import exp, log

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from kdrun.errors import UserError
from kdrun.knowledge.dkd import DKD, dkd
from kdrun.knowledge.made_up import batch, example_pair, signals
from kdrun.knowledge.response import kd, standardised

STUDENT = torch.tensor([[1, 2, 3], [0, 0, 1]], dtype=torch.float64)
TEACHER = torch.tensor([[3, 1, 0], [1, 2, 0]], dtype=torch.float64)
LABELS = torch.tensor([0, 1])

sizes = st.tuples(st.integers(1, 4), st.integers(3, 6), st.integers(0, 2**32 - 1))


def two_networks(size: tuple[int, int, int]) -> tuple[Tensor, Tensor, Tensor]:
    rows, classes, seed = size
    generator = torch.Generator().manual_seed(seed)
    student, teacher = torch.randn(2, rows, classes, generator=generator, dtype=torch.float64) * 3
    return student, teacher, torch.randint(classes, (rows,), generator=generator)


def parts(row: list[float], label: int, tau: float) -> tuple[list[float], list[float]]:
    powers = [exp(value / tau) for value in row]
    others = [power for k, power in enumerate(powers) if k != label]
    return [powers[label] / sum(powers), sum(others) / sum(powers)], [p / sum(others) for p in others]


def divergence(p: list[float], q: list[float]) -> float:
    return sum(a * log(a / b) for a, b in zip(p, q, strict=True))


@pytest.mark.parametrize(
    ("tau", "target", "nontarget"),
    [(1, 1.0436297719, 0.4621171573), (4, 1.1829688270, 0.4974120071)],
)
def test_both_parts_have_their_golden_values(tau: float, target: float, nontarget: float) -> None:
    first = dkd(STUDENT, TEACHER, LABELS, tau=tau, target_weight=1, nontarget_weight=0)
    second = dkd(STUDENT, TEACHER, LABELS, tau=tau, target_weight=0, nontarget_weight=1)
    assert [first.item(), second.item()] == pytest.approx([target, nontarget], abs=1e-9)


@settings(max_examples=25, deadline=None)
@given(sizes, st.floats(0.5, 20), st.floats(0, 5), st.floats(0, 10))
def test_dkd_is_the_weighed_sum_of_both_divergences(
    size: tuple[int, int, int], tau: float, target_weight: float, nontarget_weight: float
) -> None:
    student, teacher, labels = two_networks(size)
    expected = 0.0
    for s, t, label in zip(student.tolist(), teacher.tolist(), labels.tolist(), strict=True):
        (own_target, own_rest), (target, rest) = parts(s, label, tau), parts(t, label, tau)
        expected += target_weight * divergence(target, own_target)
        expected += nontarget_weight * divergence(rest, own_rest)
    weights = {"target_weight": target_weight, "nontarget_weight": nontarget_weight}
    value = dkd(student, teacher, labels, tau=tau, **weights).item()
    assert value == pytest.approx(tau**2 * expected / size[0], rel=1e-10, abs=1e-10)


def test_weighing_the_rest_by_the_teachers_doubt_gives_kd_back() -> None:
    rest = 1 - TEACHER.softmax(dim=1)[0, 0].item()
    value = dkd(STUDENT[:1], TEACHER[:1], LABELS[:1], tau=1, target_weight=1, nontarget_weight=rest)
    assert value.item() == pytest.approx(kd(STUDENT[:1], TEACHER[:1], tau=1).item(), rel=1e-12)


def test_a_teacher_and_student_sure_beyond_rounding_give_a_finite_gradient() -> None:
    student = torch.tensor([[200.0, -200.0, -200.0]], requires_grad=True)
    teacher = torch.tensor([[200.0, -200.0, 200.0]])
    value = dkd(student, teacher, torch.tensor([0]), tau=1, target_weight=1, nontarget_weight=8)
    (gradient,) = torch.autograd.grad(value, student)
    assert value.isfinite()
    assert gradient.isfinite().all()


def test_standardise_feeds_it_standardised_logits() -> None:
    pair = example_pair()
    student, teacher, examples = signals(pair.student, 1), signals(pair.teacher, 2), batch(pair)
    weights = {"target_weight": 1.0, "nontarget_weight": 8.0}
    term = DKD(pair, tau=2.0, standardise=True, **weights)
    logits = standardised(student.logits), standardised(teacher.logits)
    assert term(student, teacher, examples) == dkd(*logits, examples.labels, tau=2.0, **weights)


def test_two_classes_are_refused_before_training() -> None:
    pair = example_pair()._replace(num_classes=2)
    with pytest.raises(UserError, match="3 classes or more, got 2: use knowledge=response/kd"):
        DKD(pair, tau=4, target_weight=1, nontarget_weight=8, standardise=False)
