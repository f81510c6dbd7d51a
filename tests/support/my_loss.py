"""Losses as a user would write them, one right and one wrong: `_target_: my_loss.Right`."""

from __future__ import annotations

from torch import Tensor, nn

from kdrun.errors import UserError
from kdrun.signals import Batch, Pair, Signals


class Right(nn.Module):
    """Mean of |student - teacher|^power of the logits."""

    student_layers: tuple[str, ...] = ()
    teacher_layers: tuple[str, ...] = ()

    def __init__(self, pair: Pair, *, power: float) -> None:
        super().__init__()
        if power < 1:
            raise UserError(f"power must be >= 1, got {power}")
        self.power = power

    def forward(self, student: Signals, teacher: Signals, batch: Batch) -> Tensor:
        own, taught = (
            one.logits if one.logits.element_size() > 2 else one.logits.float() for one in (student, teacher)
        )
        return (own - taught.detach().clone()).abs().pow(self.power).mean()


class Wrong(nn.Module):
    """Not 0 where the networks agree, a sum over the batch, and a gradient for the teacher."""

    student_layers: tuple[str, ...] = ()
    teacher_layers: tuple[str, ...] = ()

    def __init__(self, pair: Pair) -> None:
        super().__init__()

    def forward(self, student: Signals, teacher: Signals, batch: Batch) -> Tensor:
        own, taught = (
            one.logits if one.logits.element_size() > 2 else one.logits.float() for one in (student, teacher)
        )
        return (own - taught.clone() + 1).square().sum()


class NeedsData(Right):
    """Right, but it looks at a value, which shapes alone do not have."""

    def forward(self, student: Signals, teacher: Signals, batch: Batch) -> Tensor:
        return super().forward(student, teacher, batch) * float(batch.labels.min() >= 0)
