"""Where a teacher's signals come from."""

from __future__ import annotations

from typing import Protocol

from kdrun.signals import Batch, Signals


class Teacher(Protocol):
    """Whatever says something of a batch: logits (B, K) and the features asked for, without gradients."""

    def signals(self, batch: Batch) -> Signals: ...


__all__ = ["Teacher"]
