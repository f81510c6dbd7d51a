"""Several observers as one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kdrun.experiment.train import Observer, Rows
    from kdrun.runs.spec import RunSpec
    from kdrun.training.learner import Position


class Several:
    """Tells each of its observers, in their order (see `kdrun.experiment.train.Observer`)."""

    def __init__(self, observers: Sequence[Observer]) -> None:
        self._observers = tuple(observers)

    def started(self, specs: Sequence[RunSpec], epochs: int, done: Position) -> None:
        for one in self._observers:
            one.started(specs, epochs, done)

    def epoch(self, rows: Rows) -> None:
        for one in self._observers:
            one.epoch(rows)

    def finished(self, spec: RunSpec, result: Mapping[str, Any]) -> None:
        for one in self._observers:
            one.finished(spec, result)

    def failed(self, spec: RunSpec, reason: str) -> None:
        for one in self._observers:
            one.failed(spec, reason)

    def filling(self, done: int, total: int) -> None:
        for one in self._observers:
            one.filling(done, total)

    def remarked(self, line: str) -> None:
        for one in self._observers:
            one.remarked(line)
