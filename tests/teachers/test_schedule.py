"""A teacher that remembers what it said at each step."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from kdrun.signals import Batch, Signals
from kdrun.teachers.schedule import ScheduleTeacher

STEPS = 3


class _Asked:
    """A teacher that says something new each time."""

    times = 0

    def signals(self, batch: Batch) -> Signals:
        self.times += 1
        maps = torch.full((2, 3, 4, 4), float(self.times)).contiguous(memory_format=torch.channels_last)
        return Signals(torch.full((2, 5), self.times / 3), {"stage1": maps})


class _Kept(dict[int, Mapping[str, Tensor]]):
    def read(self, epoch: int) -> Mapping[str, Tensor] | None:
        return self.get(epoch)

    def write(self, epoch: int, said: Mapping[str, Tensor]) -> None:
        self[epoch] = {name: value.clone() for name, value in said.items()}


def _hear(kept: _Kept, steps: list[tuple[int, int]]) -> tuple[list[Signals], int]:
    """What is heard at these (epoch, step), and how often the teacher was asked for it."""
    asked = _Asked()
    teacher = ScheduleTeacher(asked, kept, ("logits", "features.stage1"), steps_per_epoch=STEPS, dtype="fp32")
    ids = torch.arange(2)
    return [teacher.signals(Batch(ids, ids, ids, ids, *step)) for step in steps], asked.times


WHOLE = [(0, 0), (0, 1), (0, 2)]


def test_the_second_who_passes_hears_the_same_and_nobody_is_asked() -> None:
    kept = _Kept()
    first, asked = _hear(kept, [*WHOLE, (1, 0)])
    assert (asked, list(kept)) == (4, [0])
    second, asked = _hear(kept, WHOLE)
    assert asked == 0
    for one, other in zip(first[:3], second, strict=True):
        assert torch.equal(one.logits, other.logits)
        assert torch.equal(one.features["stage1"], other.features["stage1"])
        assert one.features["stage1"].stride() == other.features["stage1"].stride()


def test_an_epoch_that_was_not_heard_whole_is_not_kept() -> None:
    for steps in (WHOLE[1:], WHOLE[:2], [(0, 0), (0, 2)]):
        kept = _Kept()
        _hear(kept, [*steps, (1, 0)])
        assert not kept


def test_one_who_begins_in_the_middle_reads_what_is_kept() -> None:
    kept = _Kept()
    whole, _ = _hear(kept, WHOLE)
    rest, asked = _hear(kept, WHOLE[1:])
    assert asked == 0
    assert torch.equal(rest[0].logits, whole[1].logits)


def test_a_batch_that_is_no_step_is_asked_and_never_kept() -> None:
    kept = _Kept()
    _hear(kept, WHOLE)
    _, asked = _hear(kept, [(0, -1), (0, 0)])
    assert asked == 1
