"""A teacher that remembers what it said at each step of training, for the next who passes there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import torch
from torch import Tensor

from kdrun.signals import Batch, Signals
from kdrun.teachers import Teacher
from kdrun.teachers.packing import packed, unpacked
from kdrun.teachers.rounding import DTYPES


class Epochs(Protocol):
    """Keeps what was said in whole epochs: packed arrays (steps, B, ...) by name, on the device of the batches."""

    def read(self, epoch: int) -> Mapping[str, Tensor] | None:
        """An epoch; None where it is not kept."""
        ...

    def write(self, epoch: int, said: Mapping[str, Tensor]) -> None: ...


class ScheduleTeacher:
    """Gives what was said at (epoch, step), bit for bit; asks the teacher where that is not kept.

    An epoch that was asked from its first step to its last is then kept. A batch that is no step of training is asked.

    teacher: gives float32 (see `Rounded`). names: of the arrays to keep, see `packing`.
    steps_per_epoch: of the one stream that all batches come from. dtype: fp32 or fp16, in which they are kept.
    """

    def __init__(
        self, teacher: Teacher, epochs: Epochs, names: Sequence[str], *, steps_per_epoch: int, dtype: str
    ) -> None:
        self._teacher, self._epochs, self._names = teacher, epochs, names
        self._steps, self._dtype = steps_per_epoch, DTYPES[dtype]
        self._epoch = -1
        self._kept: Mapping[str, Tensor] | None = None
        self._said: dict[str, Tensor] = {}
        self._noted = 0  # steps of the epoch, from its first, that `_said` holds

    def signals(self, batch: Batch) -> Signals:
        if batch.step < 0:
            return self._teacher.signals(batch)
        if batch.epoch != self._epoch:
            self._epoch, self._noted, self._said = batch.epoch, 0, {}
            self._kept = self._epochs.read(batch.epoch)
        if self._kept is not None:
            return unpacked({name: self._kept[name][batch.step] for name in self._names})
        said = self._teacher.signals(batch)
        if batch.step == self._noted:
            self._note(packed(said, self._names))
        return said

    def _note(self, said: Mapping[str, Tensor]) -> None:
        if not self._noted:
            self._said = {
                name: torch.empty(self._steps, *value.shape, dtype=self._dtype, device=value.device)
                for name, value in said.items()
            }
        for name, value in said.items():
            self._said[name][self._noted] = value
        self._noted += 1
        if self._noted == self._steps:
            self._epochs.write(self._epoch, self._said)
            self._said = {}
