"""Modes: who teaches whom. A mode says what is trained and what the losses of a batch are; the loop knows neither."""

from __future__ import annotations

from typing import Any, Protocol

from torch import Tensor, nn

from kdrun.signals import Batch, Signals


class Mode(Protocol):
    """One run's networks and their loss.

    trained: everything that the optimiser changes (the student, its adapters), in one module.
    student: the network that is evaluated and kept.
    teacher_layers: the features that the teacher must give; None where no teacher is asked at all.
    part_names: names of the parts of the loss, the total first.
    """

    trained: nn.Module
    student: nn.Module
    teacher_layers: tuple[str, ...] | None
    part_names: tuple[str, ...]

    def losses(self, batch: Batch, teacher: Signals | None) -> tuple[Tensor, ...]:
        """The batch's loss and its parts, scalars () in the order of `part_names`; the first one is followed back."""
        ...

    def compile(self, **options: Any) -> None:
        """Has the networks that it trains compiled from the next losses on. options: of `torch.compile`."""
        ...


__all__ = ["Mode"]
