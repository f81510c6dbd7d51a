"""Several observers as one, and calls of an observer as values."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

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


class Call(NamedTuple):
    """A call of one of the observer's methods."""

    method: str
    arguments: tuple[Any, ...]

    def pass_on(self, observer: Observer) -> None:
        getattr(observer, self.method)(*self.arguments)


class Relay:
    """An observer that gives every call to `send`."""

    def __init__(self, send: Callable[[Call], None]) -> None:
        self._send = send

    def started(self, specs: Sequence[RunSpec], epochs: int, done: Position) -> None:
        self._send(Call("started", (specs, epochs, done)))

    def epoch(self, rows: Rows) -> None:
        self._send(Call("epoch", (rows,)))

    def finished(self, spec: RunSpec, result: Mapping[str, Any]) -> None:
        self._send(Call("finished", (spec, result)))

    def failed(self, spec: RunSpec, reason: str) -> None:
        self._send(Call("failed", (spec, reason)))

    def filling(self, done: int, total: int) -> None:
        self._send(Call("filling", (done, total)))

    def remarked(self, line: str) -> None:
        self._send(Call("remarked", (line,)))


class ObserverError(Exception):
    """An error of an observer, which is no failure of the run that it was called about; its cause is the error."""


def marking_errors(observer: Observer) -> Relay:
    """The observer, whose errors come as ObserverError."""

    def send(call: Call) -> None:
        try:
            call.pass_on(observer)
        except Exception as error:
            raise ObserverError from error

    return Relay(send)
