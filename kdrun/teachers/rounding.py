"""What a teacher says, in one type and one layout, whether it is kept or not."""

from __future__ import annotations

import torch
from torch import Tensor

from kdrun.signals import Batch, Signals
from kdrun.teachers import Teacher

DTYPES = {"fp32": torch.float32, "fp16": torch.float16}
GREATEST = torch.finfo(torch.float16).max


class Rounded:
    """Gives another teacher's signals as float32, maps in channels_last.

    dtype: fp32, or fp16 to round them to half precision first; numbers beyond its range become its ends.
    """

    def __init__(self, teacher: Teacher, dtype: str) -> None:
        self._teacher = teacher
        self._half = dtype == "fp16"

    def signals(self, batch: Batch) -> Signals:
        said = self._teacher.signals(batch)
        return Signals(self._round(said.logits), {name: self._round(value) for name, value in said.features.items()})

    def _round(self, value: Tensor) -> Tensor:
        value = value.detach().float()
        if self._half:
            value = value.clamp(-GREATEST, GREATEST).half().float()
        return value.contiguous(memory_format=torch.channels_last) if value.dim() == 4 else value.contiguous()
