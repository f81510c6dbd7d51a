"""Trackers: other programs that show the rows which go to CSV. Nothing else in the code knows of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from kdrun.errors import UserError
from kdrun.runs.spec import RunSpec


class Tracker(Protocol):
    """Where rows are shown. Each method may raise whatever its package raises.

    A tracker is made before anything is computed: it raises UserError where its package is missing, and writes nothing
    before the first run begins.
    """

    def begin(self, spec: RunSpec, epoch: int) -> None:
        """Rows of a run follow, from this epoch (from 1) on.

        An earlier command, or this one, may have told of the run before, also of these very epochs: no row may then
        appear twice.
        """
        ...

    def row(self, spec: RunSpec, epoch: int, numbers: Mapping[str, float]) -> None: ...

    def end(self, spec: RunSpec, numbers: Mapping[str, float] | None) -> None:
        """A run is over. numbers: of its result; None where it could not be finished."""
        ...

    def close(self) -> None:
        """Nothing more comes; runs that have begun and not ended may go on another time."""
        ...


def missing(tracker: str) -> UserError:
    """The one line for a tracker whose package cannot be imported."""
    return UserError(f"tracker={tracker} needs its package: pip install 'kdrun[{tracker}]', or say tracker=none")


__all__ = ["Tracker", "missing"]
