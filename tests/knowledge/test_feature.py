"""Hints, attention maps and neuron selectivity against their formulas written out in loops."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from kdrun.errors import UserError
from kdrun.knowledge import made_up
from kdrun.knowledge.feature import NST, Attention, FitNet, attention_loss, mean_squared_error, nst_loss

Loss = Callable[[Tensor, Tensor], Tensor]
LOSSES: list[Loss] = [mean_squared_error, attention_loss, nst_loss]
sizes = st.integers(1, 4)
seeds = st.integers(0, 2**31)
loops = settings(deadline=None, max_examples=20)


def draw(seed: int, *shape: int) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def unit(vector: list[float]) -> list[float]:
    length = max(math.sqrt(sum(value * value for value in vector)), 1e-12)
    return [value / length for value in vector]


def looped_attention(student: Tensor, teacher: Tensor) -> float:
    total, count = 0.0, 0
    for ours, theirs in zip(student.tolist(), teacher.tolist(), strict=True):
        maps = []
        for channels in (ours, theirs):
            rows, columns = range(len(channels[0])), range(len(channels[0][0]))
            maps.append(unit([sum(c[y][x] ** 2 for c in channels) / len(channels) for y in rows for x in columns]))
        total += sum((s - t) ** 2 for s, t in zip(*maps, strict=True))
        count += len(maps[0])
    return total / count


def looped_nst(student: Tensor, teacher: Tensor) -> float:
    def kernel(one: list[list[float]], other: list[list[float]]) -> float:
        values = [sum(a * b for a, b in zip(x, y, strict=True)) ** 2 for x in one for y in other]
        return sum(values) / len(values)

    total = 0.0
    for ours, theirs in zip(student.flatten(2).tolist(), teacher.flatten(2).tolist(), strict=True):
        s, t = [unit(channel) for channel in ours], [unit(channel) for channel in theirs]
        total += kernel(s, s) + kernel(t, t) - 2 * kernel(s, t)
    return total / len(student)


@loops
@given(batch=sizes, channels=sizes, side=sizes, seed=seeds)
def test_the_hint_is_the_mean_of_squares(batch: int, channels: int, side: int, seed: int) -> None:
    student, teacher = draw(seed, batch, channels, side), draw(seed + 1, batch, channels, side)
    pairs = list(zip(student.flatten().tolist(), teacher.flatten().tolist(), strict=True))
    expected = sum((s - t) ** 2 for s, t in pairs) / len(pairs)
    assert mean_squared_error(student, teacher).item() == pytest.approx(expected, abs=1e-10)


@loops
@given(batch=sizes, channels=st.tuples(sizes, sizes), size=st.tuples(sizes, sizes), seed=seeds)
def test_attention_equals_the_written_out_loop(
    batch: int, channels: tuple[int, int], size: tuple[int, int], seed: int
) -> None:
    student, teacher = draw(seed, batch, channels[0], *size), draw(seed + 1, batch, channels[1], *size)
    expected = looped_attention(student, teacher)
    assert attention_loss(student, teacher).item() == pytest.approx(expected, abs=1e-10)


@loops
@given(batch=sizes, channels=st.tuples(sizes, sizes), size=st.tuples(sizes, sizes), seed=seeds)
def test_nst_equals_the_written_out_loop(
    batch: int, channels: tuple[int, int], size: tuple[int, int], seed: int
) -> None:
    student, teacher = draw(seed, batch, channels[0], *size), draw(seed + 1, batch, channels[1], *size)
    assert nst_loss(student, teacher).item() == pytest.approx(looped_nst(student, teacher), abs=1e-10)


def test_nst_goes_through_the_smaller_matrix_with_the_same_result() -> None:
    student, teacher = draw(0, 2, 9, 2, 2), draw(1, 2, 7, 2, 2)  # 9 x 7 channels, 4 x 4 pixels
    assert nst_loss(student, teacher).item() == pytest.approx(looped_nst(student, teacher), abs=1e-10)


def test_attention_averages_the_larger_attention_map() -> None:
    student, teacher = draw(0, 2, 3, 4, 4), draw(1, 2, 2, 2, 2)
    attention = student.square().mean(dim=1, keepdim=True)
    smaller = attention.unfold(2, 2, 2).unfold(3, 2, 2).mean(dim=(-1, -2))
    expected = looped_attention(smaller.sqrt(), teacher)
    assert attention_loss(student, teacher).item() == pytest.approx(expected, abs=1e-10)
    swapped = attention_loss(teacher, student).item()
    assert swapped == pytest.approx(expected, abs=1e-10)


@pytest.mark.parametrize("loss", LOSSES)
def test_equal_features_cost_nothing(loss: Loss) -> None:
    value = draw(0, 3, 4, 3, 3)
    assert loss(value, value).item() == pytest.approx(0, abs=1e-12)
    assert loss(value, value.roll(1, 0)).item() > 1e-3


@pytest.mark.parametrize("loss", LOSSES)
def test_gradients_match_finite_differences_and_spare_the_teacher(loss: Loss) -> None:
    student = draw(0, 2, 3, 2, 2).requires_grad_()
    teacher = draw(1, 2, 3, 2, 2).requires_grad_()
    fixed = teacher.detach()
    assert torch.autograd.gradcheck(lambda value: loss(value, fixed), student)
    loss(student, teacher).backward()
    assert teacher.grad is None


@pytest.mark.parametrize("loss", [attention_loss, nst_loss])
def test_scale_does_not_matter_where_maps_are_normalised(loss: Loss) -> None:
    student, teacher = draw(0, 2, 3, 2, 2), draw(1, 2, 3, 2, 2)
    assert loss(7 * student, teacher).item() == pytest.approx(loss(student, teacher).item(), rel=1e-10)


@pytest.mark.parametrize("loss", LOSSES)
def test_half_precision_features_are_compared_in_float32(loss: Loss) -> None:
    student, teacher = draw(0, 2, 3, 4, 4).bfloat16().requires_grad_(), draw(1, 2, 3, 4, 4).bfloat16()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        value = loss(student, teacher)
    value.backward()
    assert value.dtype == torch.float32
    assert value.item() == pytest.approx(loss(student.double(), teacher.double()).item(), rel=1e-4)
    assert student.grad is not None
    assert student.grad.isfinite().all()


@pytest.mark.parametrize(("term", "loss"), [(Attention, attention_loss), (NST, nst_loss)])
def test_stages_are_summed(term: type[Attention] | type[NST], loss: Loss) -> None:
    pair = made_up.example_pair()
    student, teacher = made_up.signals(pair.student, 0), made_up.signals(pair.teacher, 1)
    stages = ("stage1", "stage2", "stage3")
    expected = sum(loss(student.features[stage], teacher.features[stage]).item() for stage in stages)
    built = term(pair, student_layers=None, teacher_layers=None)
    assert built.student_layers == stages
    assert built(student, teacher, made_up.batch(pair)).item() == pytest.approx(expected, abs=1e-12)


def test_fitnet_learns_to_meet_the_teacher_through_its_regressor() -> None:
    pair = made_up.example_pair()
    torch.manual_seed(0)
    term = FitNet(pair, student_layer="stage2", teacher_layer="stage1").double()
    student, teacher = made_up.signals(pair.student, 0), made_up.signals(pair.teacher, 1)
    optimiser, batch = torch.optim.Adam(term.parameters(), lr=0.05), made_up.batch(pair)
    before = term(student, teacher, batch)
    for _ in range(20):
        optimiser.zero_grad()
        loss = term(student, teacher, batch)
        loss.backward()
        optimiser.step()
    assert loss.item() < 0.9 * before.item()


def test_fitnet_joins_vectors() -> None:
    pair = made_up.example_pair()
    term = FitNet(pair, student_layer="pooled", teacher_layer="pooled").double()
    student, teacher = made_up.signals(pair.student, 0), made_up.signals(pair.teacher, 1)
    expected = mean_squared_error(term.regressor(student.features["pooled"]), teacher.features["pooled"])
    assert term(student, teacher, made_up.batch(pair)).item() == expected.item()


def test_fitnet_names_the_layers_there_are() -> None:
    pair = made_up.example_pair()
    with pytest.raises(UserError, match="the teacher has no layer 'layer2'; choose one of: stem, stage1"):
        FitNet(pair, student_layer="stage2", teacher_layer="layer2")


@pytest.mark.parametrize("term", [Attention, NST])
def test_an_unequal_number_of_stages_is_refused(term: type[Attention] | type[NST]) -> None:
    pair = made_up.example_pair()
    with pytest.raises(UserError, match=r"stages do not pair up: the student has 3 .*, the teacher 1 "):
        term(pair, student_layers=None, teacher_layers=["stage3"])
