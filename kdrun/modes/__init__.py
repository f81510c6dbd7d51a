"""Modes: who teaches whom. A mode says what is trained and what the losses of a batch are; the loop knows neither."""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

from torch import Tensor, nn

from kdrun.signals import Batch, Signals


class Mode(Protocol):
    """One run's networks and their loss.

    trained: everything that optimisers change (the network, and adapters or heads beside it), in one module.
    network: the part of it that learns the task; what is beside it has an optimiser of its own.
    student: the network that is evaluated and kept; not always `network` itself.
    teacher_layers: the features that the teacher must give; None where no teacher is asked at all.
    part_names: names of the parts of the loss, the total first.
    """

    trained: nn.Module
    network: nn.Module
    student: nn.Module
    teacher_layers: tuple[str, ...] | None
    part_names: tuple[str, ...]

    def losses(self, batch: Batch, teacher: Signals | None) -> tuple[Tensor, ...]:
        """The batch's loss and its parts, scalars () in the order of `part_names`; the first one is followed back."""
        ...

    def compile(self, **options: Any) -> None:
        """Has the networks that it trains compiled from the next losses on. options: of `torch.compile`."""
        ...


@runtime_checkable
class OneStudent(Protocol):
    """A mode with one student, whose losses can be formed from what the student says, wherever that was computed.

    network: the student that is trained; not always the one that is kept.
    student_layers: the features that it must give beside its logits.
    """

    network: nn.Module
    student_layers: tuple[str, ...]

    def losses_of(self, student: Signals, batch: Batch, teacher: Signals | None) -> tuple[Tensor, ...]:
        """As `Mode.losses`, of signals that the student gave for the batch."""
        ...


__all__ = ["Mode", "OneStudent"]
