"""A teacher that was asked beforehand."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from kdrun.signals import Batch
from kdrun.teachers.table import TableTeacher

VIEWS, IDS = 3, torch.tensor([7, 2, 11, 4])
LOGITS = torch.arange(VIEWS * 4 * 5.0).view(VIEWS, 4, 5)
MAPS = torch.randn(VIEWS, 4, 2, 3, 6, generator=torch.Generator().manual_seed(0))  # (V, N, H, W, C)


def _batch(ids: Tensor, views: Tensor) -> Batch:
    return Batch(torch.zeros(len(ids), 1), torch.zeros_like(ids), ids, views, epoch=0)


def test_each_example_is_found_in_its_view() -> None:
    teacher = TableTeacher({"logits": LOGITS, "features.stage1": MAPS.half()}, IDS)
    said = teacher.signals(_batch(torch.tensor([4, 7, 4]), torch.tensor([0, 2, 1])))
    assert torch.equal(said.logits, torch.stack([LOGITS[0, 3], LOGITS[2, 0], LOGITS[1, 3]]))
    expected = torch.stack([MAPS[0, 3], MAPS[2, 0], MAPS[1, 3]]).half().float().permute(0, 3, 1, 2)
    assert torch.equal(said.features["stage1"], expected)
    assert said.features["stage1"].is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize(("example", "view"), [(5, 0), (5, 1), (12, 0), (4, VIEWS)])
def test_what_is_not_in_the_table_is_refused(example: int, view: int) -> None:
    with pytest.raises(IndexError):
        TableTeacher({"logits": LOGITS}, IDS).signals(_batch(torch.tensor([example]), torch.tensor([view])))
