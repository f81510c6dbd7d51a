"""Factor transfer against its formula written out in loops; who learns from which part of it."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from kdrun.errors import UserError
from kdrun.knowledge import made_up
from kdrun.knowledge.factor import FactorTransfer, factor_loss
from kdrun.knowledge.feature import mean_squared_error
from kdrun.signals import Pair

sizes = st.integers(1, 4)


def draw(seed: int, *shape: int) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def built(pair: Pair, *, rate: float = 0.5, weight: float = 0.1) -> FactorTransfer:
    torch.manual_seed(0)
    return FactorTransfer(
        pair, student_layer=None, teacher_layer=None, factor_rate=rate, reconstruction_weight=weight
    ).double()


def trained(part: nn.Module) -> bool:
    return any(value.grad is not None and bool((value.grad != 0).any()) for value in part.parameters())


@settings(deadline=None, max_examples=20)
@given(batch=sizes, channels=sizes, size=st.tuples(sizes, sizes), seed=st.integers(0, 2**31))
def test_the_loss_equals_the_written_out_loop(batch: int, channels: int, size: tuple[int, int], seed: int) -> None:
    student, teacher = draw(seed, batch, channels, *size), draw(seed + 1, batch, channels, *size)
    total, count = 0.0, 0
    for ours, theirs in zip(student.flatten(1).tolist(), teacher.flatten(1).tolist(), strict=True):
        lengths = [math.sqrt(sum(value**2 for value in factor)) for factor in (ours, theirs)]
        for s, t in zip(ours, theirs, strict=True):
            total += abs(s / lengths[0] - t / lengths[1])
            count += 1
    assert factor_loss(student, teacher).item() == pytest.approx(total / count, abs=1e-10)


def test_equal_factors_cost_nothing_at_any_scale() -> None:
    factor = draw(0, 2, 3, 2, 2)
    assert factor_loss(3 * factor, factor).item() == pytest.approx(0, abs=1e-12)
    assert factor_loss(factor.roll(1, 0), factor).item() > 1e-2


def test_channels_that_trade_their_maps_are_noticed() -> None:
    factor = draw(0, 2, 3, 2, 2)
    assert factor_loss(factor.roll(1, 1), factor).item() > 1e-2


def test_gradients_match_finite_differences_and_spare_the_teacher() -> None:
    student, teacher = draw(0, 2, 3, 2, 2).requires_grad_(), draw(1, 2, 3, 2, 2).requires_grad_()
    fixed = teacher.detach()
    assert torch.autograd.gradcheck(lambda value: factor_loss(value, fixed), student)
    factor_loss(student, teacher).backward()
    assert teacher.grad is None


def test_the_paraphraser_learns_from_its_reconstruction_alone() -> None:
    pair = made_up.example_pair()
    term = built(pair, weight=0.0)
    student, teacher = made_up.signals(pair.student, 0, leaf=True), made_up.signals(pair.teacher, 1)
    term(student, teacher, made_up.batch(pair)).backward()
    assert trained(term.translator)
    assert student.features["stage3"].grad is not None
    assert not trained(term.encoder)
    assert not trained(term.decoder)


def test_the_student_does_not_learn_from_the_reconstruction() -> None:
    pair = made_up.example_pair()
    student, teacher = made_up.signals(pair.student, 0, leaf=True), made_up.signals(pair.teacher, 1)
    gradients, paraphraser = [], []
    for weight in (0.0, 3.0):
        term = built(pair, weight=weight)
        loss = term(student, teacher, made_up.batch(pair))
        gradients.append(torch.autograd.grad(loss, student.features["stage3"], retain_graph=True)[0])
        loss.backward()
        paraphraser.append(trained(term.encoder) and trained(term.decoder))
    torch.testing.assert_close(gradients[0], gradients[1])
    assert paraphraser == [False, True]


def test_the_term_is_the_sum_of_its_two_parts() -> None:
    pair = made_up.example_pair()
    term = built(pair, weight=0.3)
    student, teacher = made_up.signals(pair.student, 0), made_up.signals(pair.teacher, 1)
    ours, theirs = student.features["stage3"], teacher.features["stage3"]
    factors = term.encoder(theirs)
    expected = factor_loss(term.translator(ours), factors)
    expected = expected + 0.3 * mean_squared_error(term.decoder(factors), theirs)
    assert term(student, teacher, made_up.batch(pair)).item() == pytest.approx(expected.item(), abs=1e-12)


@pytest.mark.parametrize(("rate", "channels"), [(0.5, 6), (0.01, 1), (2.0, 24)])
def test_the_factor_has_its_share_of_the_teachers_channels(rate: float, channels: int) -> None:
    pair = made_up.example_pair()
    theirs = made_up.signals(pair.teacher, 1).features["stage3"]
    assert built(pair, rate=rate).encoder(theirs).shape == (4, channels, 2, 2)


@pytest.mark.parametrize(("rate", "weight"), [(0.0, 1.0), (-1.0, 1.0), (0.5, -1.0)])
def test_numbers_out_of_range_are_refused(rate: float, weight: float) -> None:
    message = f"factor_rate must be > 0 and reconstruction_weight >= 0, got {rate} and {weight}"
    with pytest.raises(UserError) as caught:
        built(made_up.example_pair(), rate=rate, weight=weight)
    assert caught.value.message == message
