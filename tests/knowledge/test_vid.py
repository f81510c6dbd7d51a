"""Variational information distillation against its formula written out in loops."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional as F

from kdrun.errors import UserError
from kdrun.knowledge import made_up
from kdrun.knowledge.vid import VID, vid_loss
from kdrun.signals import Pair

sizes = st.integers(1, 4)


def draw(seed: int, *shape: int) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def built(pair: Pair) -> VID:
    torch.manual_seed(0)
    return VID(pair, student_layers=None, teacher_layers=None, initial_variance=5.0, min_variance=1e-5).double()


@settings(deadline=None, max_examples=20)
@given(batch=sizes, channels=sizes, size=st.tuples(sizes, sizes), seed=st.integers(0, 2**31))
def test_the_loss_equals_the_written_out_loop(batch: int, channels: int, size: tuple[int, int], seed: int) -> None:
    mean, teacher = draw(seed, batch, channels, *size), draw(seed + 1, batch, channels, *size)
    variance = draw(seed + 2, channels).exp()
    terms = []
    for ours, theirs in zip(mean.tolist(), teacher.tolist(), strict=True):
        for channel, v in enumerate(variance.tolist()):
            for y in range(size[0]):
                for x in range(size[1]):
                    error = theirs[channel][y][x] - ours[channel][y][x]
                    terms.append(0.5 * (error**2 / v + math.log(v)))
    assert vid_loss(mean, teacher, variance).item() == pytest.approx(sum(terms) / len(terms), abs=1e-10)


def test_gradients_match_finite_differences_and_spare_the_teacher() -> None:
    mean, teacher = draw(0, 2, 3, 2, 2).requires_grad_(), draw(1, 2, 3, 2, 2).requires_grad_()
    variance = draw(2, 3).exp().requires_grad_()
    fixed = teacher.detach()
    assert torch.autograd.gradcheck(lambda m, v: vid_loss(m, fixed, v), (mean, variance))
    vid_loss(mean, teacher, variance).backward()
    assert teacher.grad is None


def test_the_loss_may_be_negative() -> None:
    value = draw(0, 2, 3, 2, 2)
    assert vid_loss(value, value, torch.full((3,), 0.1)).item() == pytest.approx(0.5 * math.log(0.1))


def test_variances_start_at_their_initial_value() -> None:
    for raw in built(made_up.example_pair()).raw_variances:
        torch.testing.assert_close(F.softplus(raw) + 1e-5, torch.full_like(raw, 5.0), rtol=1e-6, atol=0)


def test_variances_are_trained_and_saved() -> None:
    term = built(made_up.example_pair())
    trained = dict(term.named_parameters())
    names = [f"raw_variances.{stage}" for stage in range(3)]
    assert set(names) <= set(trained)
    assert [term.state_dict()[name].shape for name in names] == [(3,), (6,), (12,)]


def test_a_stage_of_another_size_is_averaged_first() -> None:
    pair = made_up.example_pair()
    small = pair.teacher._replace(
        features={name: value[:, :, :2, :2] for name, value in pair.teacher.features.items() if value.ndim == 4}
    )
    pair = pair._replace(teacher=small)
    term = built(pair)
    student, teacher = made_up.signals(pair.student, 0), made_up.signals(pair.teacher, 1)
    assert term(student, teacher, made_up.batch(pair)).isfinite()


@pytest.mark.parametrize(("initial", "least"), [(0.0, 1e-5), (1.0, 1.0), (5.0, -1.0)])
def test_variances_out_of_range_are_refused(initial: float, least: float) -> None:
    message = f"initial_variance must be > min_variance >= 0, got {initial} and {least}"
    with pytest.raises(UserError) as caught:
        VID(
            made_up.example_pair(),
            student_layers=None,
            teacher_layers=None,
            initial_variance=initial,
            min_variance=least,
        )
    assert caught.value.message == message
