"""The overhaul's partial distance against its formula written out in loops, and its remembered margins."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from kdrun.errors import UserError
from kdrun.knowledge import made_up
from kdrun.knowledge.overhaul import NegativeMean, Overhaul, partial_distance
from kdrun.signals import Pair

sizes = st.integers(1, 4)


def draw(seed: int, *shape: int) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def built(pair: Pair, *, layer_decay: float = 0.5) -> Overhaul:
    torch.manual_seed(0)
    return Overhaul(pair, student_layers=None, teacher_layers=None, layer_decay=layer_decay).double()


@settings(deadline=None, max_examples=20)
@given(batch=sizes, channels=sizes, size=st.tuples(sizes, sizes), seed=st.integers(0, 2**31))
def test_the_loss_equals_the_written_out_loop(batch: int, channels: int, size: tuple[int, int], seed: int) -> None:
    student, teacher = draw(seed, batch, channels, *size), draw(seed + 1, batch, channels, *size)
    margin = -draw(seed + 2, channels).abs()
    total = 0.0
    for ours, theirs in zip(student.tolist(), teacher.tolist(), strict=True):
        for channel, m in enumerate(margin.tolist()):
            for y in range(size[0]):
                for x in range(size[1]):
                    s, t = ours[channel][y][x], max(theirs[channel][y][x], m)
                    total += 0.0 if s <= t <= 0 else (s - t) ** 2
    assert partial_distance(student, teacher, margin).item() == pytest.approx(total / batch, abs=1e-10)


@pytest.mark.parametrize(
    ("student", "teacher", "expected"),
    [
        (1.0, 3.0, 4.0),  # too little of what the teacher lets through
        (5.0, 3.0, 4.0),  # too much of it
        (-3.0, -9.0, 0.0),  # both off, the student further than the margin
        (-1.0, -9.0, 1.0),  # not yet as far off as the margin
        (-3.0, -1.0, 0.0),  # further off than the teacher
    ],
)
def test_a_student_may_be_further_off_than_the_teacher(student: float, teacher: float, expected: float) -> None:
    ours, theirs = torch.full((1, 1, 1, 1), student), torch.full((1, 1, 1, 1), teacher)
    assert partial_distance(ours, theirs, torch.tensor([-2.0])).item() == expected


def test_equal_features_above_the_margin_cost_nothing() -> None:
    value = draw(0, 2, 3, 2, 2)
    assert partial_distance(value, value, torch.full((3,), -9.0)).item() == 0
    assert partial_distance(value.roll(1, 0), value, torch.full((3,), -9.0)).item() > 0.1


def test_gradients_match_finite_differences_and_spare_the_teacher() -> None:
    student, teacher = draw(0, 2, 3, 2, 2).requires_grad_(), draw(1, 2, 3, 2, 2).requires_grad_()
    fixed, margin = teacher.detach(), -draw(2, 3).abs()
    assert torch.autograd.gradcheck(lambda value: partial_distance(value, fixed, margin), student)
    partial_distance(student, teacher, margin).backward()
    assert teacher.grad is None


def test_the_margin_is_the_mean_of_all_negative_responses_so_far() -> None:
    margin, seen = NegativeMean(3).double(), [draw(seed, 4, 3, 2, 2) for seed in range(5)]
    for responses in seen:
        margin(responses)
    everything = torch.cat(seen)
    for channel in range(3):
        values = [value for value in everything[:, channel].flatten().tolist() if value < 0]
        assert margin.mean[channel].item() == pytest.approx(sum(values) / len(values), abs=1e-12)
        assert margin.count[channel].item() == len(values)


def test_the_first_batch_takes_its_own_margin_and_later_ones_the_remembered() -> None:
    margin = NegativeMean(1)
    assert margin(torch.tensor([-1.0, -3.0, 5.0, 0.0]).view(4, 1, 1, 1)).tolist() == [-2.0]
    assert margin(torch.tensor([-8.0]).view(1, 1, 1, 1)).tolist() == [-2.0]
    assert margin(torch.tensor([-8.0]).view(1, 1, 1, 1)).tolist() == [-4.0]


def test_a_channel_that_is_never_negative_has_margin_zero() -> None:
    margin = NegativeMean(2)
    assert margin(torch.tensor([1.0, -1.0]).view(1, 2, 1, 1)).tolist() == [0.0, -1.0]


def test_nothing_is_counted_in_evaluation() -> None:
    margin = NegativeMean(1).eval()
    margin(torch.tensor([-1.0]).view(1, 1, 1, 1))
    assert margin.count.item() == 0


def test_margins_are_saved_and_restored() -> None:
    pair = made_up.example_pair()
    term, other = built(pair), built(pair)
    student, teacher = made_up.signals(pair.student, 0), made_up.signals(pair.teacher, 1)
    term(student, teacher, made_up.batch(pair))
    other.load_state_dict(term.state_dict())
    following = made_up.signals(pair.teacher, 2)
    values = [one(student, following, made_up.batch(pair)).item() for one in (term, other, built(pair))]
    assert values[0] == values[1] != values[2]


def test_shallower_stages_weigh_less() -> None:
    pair = made_up.example_pair()
    student, teacher = made_up.signals(pair.student, 0), made_up.signals(pair.teacher, 1)
    term = built(pair)
    expected = 0.0
    for level, weight in enumerate((0.25, 0.5, 1.0)):
        name = f"stage{level + 1}_preact"
        theirs = teacher.features[name]
        margin = NegativeMean(theirs.shape[1]).double()(theirs)
        guess = term.connectors[level](student.features[name])
        expected += weight * partial_distance(guess, theirs, margin).item()
    assert term(student, teacher, made_up.batch(pair)).item() == pytest.approx(expected, rel=1e-10)


def test_layers_before_the_relu_are_read() -> None:
    assert built(made_up.example_pair()).teacher_layers == ("stage1_preact", "stage2_preact", "stage3_preact")


@pytest.mark.parametrize("decay", [0.0, 1.5])
def test_a_decay_out_of_range_is_refused(decay: float) -> None:
    with pytest.raises(UserError) as caught:
        built(made_up.example_pair(), layer_decay=decay)
    assert caught.value.message == f"layer_decay must be > 0 and <= 1, got {decay}"
