"""What teachers say is in one type and one layout."""

from __future__ import annotations

import pytest
import torch

from kdrun.signals import Batch, Signals
from kdrun.teachers.rounding import Rounded

SAID = torch.tensor([[1 / 3, -1e6, 1e6]])


class _Says:
    def signals(self, batch: Batch) -> Signals:
        return Signals(SAID.bfloat16(), {"stage1": torch.rand(2, 3, 4, 4), "pooled": torch.rand(2, 3)})


@pytest.mark.parametrize(
    ("dtype", "expected"), [("fp32", SAID.bfloat16().float()), ("fp16", torch.tensor([[0.333984375, -65504, 65504]]))]
)
def test_it_is_float32_rounded_where_asked_and_within_the_range(dtype: str, expected: torch.Tensor) -> None:
    none = torch.zeros(1)
    said = Rounded(_Says(), dtype).signals(Batch(none, none, none, none, epoch=0))
    assert said.logits.dtype == torch.float32
    assert torch.equal(said.logits, expected)
    assert said.features["stage1"].is_contiguous(memory_format=torch.channels_last)
