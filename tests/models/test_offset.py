"""Offsets of classes that a network was not shown."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from kdrun.models import FromParents, Settling, Telling
from kdrun.models.offset import Offset, equalising_offsets
from kdrun.signals import Batch


def _logits(examples: int, spread: float, seed: int) -> Tensor:
    return spread * torch.randn(examples, 5, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def _share(logits: Tensor, classes: Tensor, offsets: Tensor) -> Tensor:
    shifted = logits.clone()
    shifted[:, classes] += offsets
    return shifted.softmax(1).mean(0)[classes]


def test_the_offset_of_one_class_is_what_bisection_finds() -> None:
    logits, classes, share = _logits(200, 4.0, 0), torch.tensor([3]), torch.tensor([0.4], dtype=torch.float64)
    low, high = -50.0, 50.0
    for _ in range(100):
        middle = (low + high) / 2
        below = _share(logits, classes, torch.tensor([middle], dtype=torch.float64)) < share
        low, high = (middle, high) if below else (low, middle)
    torch.testing.assert_close(
        equalising_offsets(logits, classes, share), torch.tensor([low], dtype=torch.float64), rtol=0, atol=1e-9
    )


@pytest.mark.parametrize("spread", [0.1, 3.0, 60.0])
def test_every_class_gets_its_share_from_however_far_it_starts(spread: float) -> None:
    classes = torch.tensor([0, 2, 3, 4])
    shares = torch.tensor([0.3, 0.05, 1e-4, 0.2], dtype=torch.float64)
    logits = _logits(500, spread, 1)
    logits[:, 0] -= 40
    found = equalising_offsets(logits, classes, shares)
    torch.testing.assert_close(_share(logits, classes, found), shares, rtol=1e-9, atol=0)


class _Fixed(nn.Module):
    """Says of an input what stands in its row of a table."""

    def __init__(self, table: Tensor) -> None:
        super().__init__()
        self.table = nn.Parameter(table.float())

    def forward(self, inputs: Tensor) -> Tensor:
        return self.table[inputs.long().flatten()]


def _settled(labels: Tensor) -> tuple[Offset, Tensor, Tensor]:
    student, teacher = _logits(60, 2.0, 2), _logits(60, 2.0, 3)
    offset = Offset([_Fixed(student)], classes=[1, 4], teacher=_Fixed(teacher))
    rows = torch.arange(60)
    offset.settle(
        Batch(rows[some].view(-1, 1), labels[some], rows[some], rows[some], epoch=0)
        for some in (slice(0, 40), slice(40, 60))
    )
    return offset, student, teacher


def test_a_settled_network_gives_the_classes_as_often_as_the_teacher() -> None:
    offset, student, teacher = _settled(torch.arange(60) % 5)
    said = offset(torch.arange(60).view(-1, 1)).double()
    assert torch.equal(said[:, [0, 2, 3]], student[:, [0, 2, 3]].float().double())
    torch.testing.assert_close(said.softmax(1).mean(0)[[1, 4]], teacher.softmax(1).mean(0)[[1, 4]], rtol=1e-5, atol=0)


def test_no_label_is_looked_at() -> None:
    right, poisoned = _settled(torch.arange(60) % 5)[0], _settled(torch.full((60,), -7))[0]
    assert torch.equal(right.offsets, poisoned.offsets)
    assert right.offsets.abs().min() > 0


def test_it_tells_what_it_found_and_keeps_that_alone() -> None:
    offset, _, _ = _settled(torch.zeros(60))
    assert isinstance(offset, FromParents)
    assert isinstance(offset, Settling)
    assert isinstance(offset, Telling)
    assert offset.own_state().keys() == {"offsets"}
    told = offset.told()
    assert told["offset_images"] == 60
    assert [float(number) for number in told["offsets"].split()] == pytest.approx(offset.offsets.tolist(), rel=1e-5)
    said = offset(torch.arange(60).view(-1, 1)).softmax(1).mean(0)[[1, 4]]
    assert [float(number) for number in told["offset_shares"].split()] == pytest.approx(said.tolist(), rel=1e-4)


def test_it_tells_the_share_that_it_reached_and_not_the_one_that_it_was_after(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kdrun.models.offset._MOST_STEPS", 0)
    told = _settled(torch.zeros(60))[0].told()
    assert told["offset_shares"] == told["offset_shares_before"]


def test_an_offset_is_not_rounded_to_half_precision() -> None:
    offset, _, _ = _settled(torch.zeros(60))
    rows = torch.arange(60).view(-1, 1)
    offset.network.to(torch.bfloat16)
    said = offset(rows)[:, 1] - offset.network(rows)[:, 1].float()
    torch.testing.assert_close(said, offset.offsets[:1].expand(60), rtol=1e-5, atol=0)


def test_the_teacher_is_no_part_of_it() -> None:
    offset, _, _ = _settled(torch.zeros(60))
    assert {name for name, _ in offset.named_parameters()} == {"network.table"}
