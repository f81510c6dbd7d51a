"""Trackers: other programs that show the rows which go to CSV. Nothing else in the code knows of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from kdrun.errors import UserError
from kdrun.runs.spec import RunSpec

Numbers = Mapping[str, float]

COMPLETE = "kdrun-complete"  # a file that trackers without a state of their own leave beside a run that has ended


class Tracker(Protocol):
    """Where rows are shown. Each method may raise whatever its package raises.

    A tracker is made before anything is computed: it raises UserError where its package is missing, and writes nothing
    until the first run begins.
    """

    def is_complete(self, spec: RunSpec) -> bool:
        """Whether it was told, now or by an earlier command, that the run ended well."""
        ...

    def begin(self, spec: RunSpec, rows: Mapping[int, Numbers]) -> None:
        """Shows a run. rows: by their epoch, from 1; those that there are already.

        The run may have been begun before, with some of these rows or with later ones: none may then appear twice.
        """
        ...

    def row(self, spec: RunSpec, epoch: int, numbers: Numbers) -> None:
        """Shows the next row of a run that has begun."""
        ...

    def end(self, spec: RunSpec, numbers: Numbers | None) -> None:
        """A run that has begun is over. numbers: of its result; None where it could not be finished."""
        ...

    def close(self) -> None:
        """Nothing more comes; runs that have begun and not ended may go on another time."""
        ...


def missing(tracker: str) -> UserError:
    """The one line for a tracker whose package cannot be imported."""
    return UserError(f"tracker={tracker} needs its package: pip install 'kdrun[{tracker}]', or say tracker=none")


__all__ = ["COMPLETE", "Numbers", "Tracker", "missing"]
