"""How a number changes over the epochs of a run: alpha, or a temperature."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol


class Course(Protocol):
    """A number in each epoch, built as `Course(start=, end=, epochs=)`."""

    def at(self, epoch: int) -> float:
        """The number in an epoch, counted from 0."""
        ...


@dataclass(frozen=True)
class Linear:
    """A straight line from the first epoch to the last one.

        (1 - s) * start + s * end, s = epoch / (epochs - 1)

    epochs: of the run, at least 1; a run of one epoch has `end`.
    """

    start: float
    end: float
    epochs: int

    def at(self, epoch: int) -> float:
        return _between(self.start, self.end, _passed(epoch, self.epochs))


@dataclass(frozen=True)
class Cosine:
    """Half a cosine wave from the first epoch to the last one: slow at both ends.

        (1 - s) * start + s * end, s = (1 - cos(pi * epoch / (epochs - 1))) / 2

    epochs: of the run, at least 1; a run of one epoch has `end`.
    """

    start: float
    end: float
    epochs: int

    def at(self, epoch: int) -> float:
        return _between(self.start, self.end, (1 - math.cos(math.pi * _passed(epoch, self.epochs))) / 2)


def _passed(epoch: int, epochs: int) -> float:
    """The share of the way that lies behind, from 0 to 1."""
    return epoch / (epochs - 1) if epochs > 1 else 1.0


def _between(start: float, end: float, share: float) -> float:
    return (1 - share) * start + share * end  # exact at both ends
