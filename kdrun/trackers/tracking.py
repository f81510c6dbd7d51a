"""The observer that passes rows on to a tracker, and keeps its troubles away from training."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from queue import SimpleQueue
from threading import Thread
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from kdrun.runs.spec import RunSpec
from kdrun.runs.store import Store
from kdrun.trackers import Numbers, Tracker

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

    What a run had learned before comes from its folder, so a tracker shows whole runs whenever it is chosen, also after
    a kill. At the first thing that the tracker raises there is one line of warning, and it is told no more.

    store: of the runs. finished: those that are told of first, unless the tracker has them.
    warn: is given the line of warning.
    """

    def __init__(
        self, tracker: Tracker, store: Store, finished: Sequence[RunSpec], warn: Callable[[str], None]
    ) -> None:
        self._tracker, self._store, self._warn = tracker, store, warn
        self._begun: set[RunSpec] = set()
        self._calls: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        for spec in finished:
            self._calls.put(partial(self._catch_up, spec))
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
            self._warn(f"the tracker did not take everything within {CLOSE_S:g} s; the same command again tells it")

    def started(self, specs: Sequence[RunSpec], epochs: int, done: Position) -> None:
        self._calls.put(partial(self._begun.difference_update, specs))

    def epoch(self, rows: Rows) -> None:
        for spec, row in rows.items():
            self._calls.put(partial(self._row, spec, row["epoch"], _numbers(row)))

    def finished(self, spec: RunSpec, result: Mapping[str, Any]) -> None:
        self._calls.put(partial(self._end, spec, _measured(result)))

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

    def _catch_up(self, spec: RunSpec) -> None:
        if not self._tracker.is_complete(spec):
            self._end(spec, _measured(self._store.folder(spec).result()))

    def _row(self, spec: RunSpec, epoch: int, numbers: Numbers) -> None:
        self._begin(spec, before=epoch)
        self._tracker.row(spec, epoch, numbers)

    def _end(self, spec: RunSpec, numbers: Numbers | None) -> None:
        self._begin(spec, before=spec.recipe["epochs"] + 1)
        self._tracker.end(spec, numbers)
        self._begun.discard(spec)

    def _begin(self, spec: RunSpec, *, before: int) -> None:
        if spec not in self._begun:
            rows = _rows(self._store, spec)
            self._tracker.begin(spec, {epoch: numbers for epoch, numbers in rows.items() if epoch < before})
            self._begun.add(spec)


def _rows(store: Store, spec: RunSpec) -> dict[int, Numbers]:
    return {int(row["epoch"]): _numbers(row) for row in store.folder(spec).epochs()}


def _numbers(row: Mapping[str, Any]) -> Numbers:
    return {name: float(value) for name, value in row.items() if name != "epoch" and value != ""}


def _measured(result: Mapping[str, Any]) -> Numbers:
    return {name: float(result[name]) for name in RESULT if result.get(name) is not None}
