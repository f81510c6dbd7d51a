"""The observer that passes rows on to a tracker, and keeps its troubles away from training."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from queue import SimpleQueue
from threading import Thread
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from kdrun.runs.spec import RunSpec
from kdrun.trackers import Tracker

if TYPE_CHECKING:
    from kdrun.experiment.train import Rows
    from kdrun.training.learner import Position

CLOSE_S = 30.0  # how long the end of a command may wait for a tracker that is slow
RESULT = (
    "test_accuracy",
    "test_nll",
    "test_ece",
    "train_seconds",
    "parameters",
    "flops",
    "latency_ms",
    "latency_batch_ms",
)


class Tracking:
    """Tells a tracker of runs, in a thread of its own, so that training waits for no disk and no network.

    At the first thing that the tracker raises there is one line of warning, and it is told no more.

    warn: is given that line.
    """

    def __init__(self, tracker: Tracker, warn: Callable[[str], None]) -> None:
        self._tracker, self._warn = tracker, warn
        self._begun: set[RunSpec] = set()
        self._calls: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._thread = Thread(target=self._work, name="tracker", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._calls.put(self._tracker.close)
        self._calls.put(None)
        self._thread.join(CLOSE_S)
        if self._thread.is_alive():
            self._warn(f"the tracker has not taken everything within {CLOSE_S:g} s; the CSV files are complete")

    def started(self, specs: Sequence[RunSpec], epochs: int, done: Position) -> None:
        self._calls.put(partial(self._begun.difference_update, specs))

    def epoch(self, rows: Rows) -> None:
        for spec, row in rows.items():
            numbers = {name: float(value) for name, value in row.items() if name != "epoch"}
            self._calls.put(partial(self._row, spec, row["epoch"], numbers))

    def finished(self, spec: RunSpec, result: Mapping[str, Any]) -> None:
        numbers = {name: float(result[name]) for name in RESULT if result.get(name) is not None}
        self._calls.put(partial(self._end, spec, numbers))

    def failed(self, spec: RunSpec, reason: str) -> None:
        self._calls.put(partial(self._end, spec, None))

    def filling(self, done: int, total: int) -> None:
        pass

    def remarked(self, line: str) -> None:
        pass

    def _work(self) -> None:
        while (call := self._calls.get()) is not None:
            try:
                call()
            except Exception as error:  # noqa: BLE001 - whatever a package raises, training goes on
                reason = " ".join(str(error).split())[:200] or type(error).__name__
                self._warn(f"the tracker is told no more ({reason}); training goes on, the CSV files are complete")
                return

    def _row(self, spec: RunSpec, epoch: int, numbers: Mapping[str, float]) -> None:
        self._begin(spec, epoch)
        self._tracker.row(spec, epoch, numbers)

    def _end(self, spec: RunSpec, numbers: Mapping[str, float] | None) -> None:
        self._begin(spec, spec.recipe["epochs"] + 1)
        self._tracker.end(spec, numbers)
        self._begun.discard(spec)

    def _begin(self, spec: RunSpec, epoch: int) -> None:
        if spec not in self._begun:
            self._tracker.begin(spec, epoch)
            self._begun.add(spec)
