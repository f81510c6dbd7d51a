"""Several measurements of one thing, in three numbers."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Spread:
    """Of several rounds: the median, the least and the greatest."""

    median: float
    least: float
    greatest: float


def spread(values: Sequence[float]) -> Spread:
    """values: one for each round, at least one."""
    return Spread(statistics.median(values), min(values), max(values))
