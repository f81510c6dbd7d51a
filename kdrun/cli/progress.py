"""Progress of a plan: a live display on a terminal, plain lines elsewhere, nothing when quiet."""

from __future__ import annotations

import time
from collections.abc import Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol, Self

import click

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import TaskID

    from kdrun.runs.spec import RunSpec
    from kdrun.training.learner import Position

PLAIN_EVERY_S = 1.0


class Progress(Protocol):
    """An observer of runs (see `kdrun.experiment.train.Observer`), open while the plan is carried out."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def started(self, spec: RunSpec, epochs: int, done: Position) -> None: ...

    def epoch(self, spec: RunSpec, row: Mapping[str, Any]) -> None: ...

    def finished(self, spec: RunSpec, result: Mapping[str, Any]) -> None: ...


def progress_for(console: Console, total: int, *, quiet: bool) -> Progress:
    """The display that suits the console. total: number of runs to train."""
    if quiet:
        return Silent()
    return Live(console, total) if console.is_terminal else Plain(total)


class Silent:
    """Shows nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def started(self, spec: RunSpec, epochs: int, done: Position) -> None:
        pass

    def epoch(self, spec: RunSpec, row: Mapping[str, Any]) -> None:
        pass

    def finished(self, spec: RunSpec, result: Mapping[str, Any]) -> None:
        pass


class Plain:
    """One line for each run that begins or ends, and for epochs, but not more than one a second."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._done = 0
        self._epochs: dict[RunSpec, int] = {}
        self._printed = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def started(self, spec: RunSpec, epochs: int, done: Position) -> None:
        self._epochs[spec] = epochs
        goes_on = f", goes on in epoch {done.epoch + 1}" if any(done) else ""
        self._print(f"[{self._done + 1}/{self._total}] {spec.title}: {epochs} epochs{goes_on}")

    def epoch(self, spec: RunSpec, row: Mapping[str, Any]) -> None:
        if time.monotonic() - self._printed >= PLAIN_EVERY_S:
            self._print(f"  {spec.title}: epoch {row['epoch']}/{self._epochs[spec]}, {_numbers(row)}")

    def finished(self, spec: RunSpec, result: Mapping[str, Any]) -> None:
        self._done += 1
        seconds = result["train_seconds"]
        self._print(f"  {spec.title}: test accuracy {100 * result['test_accuracy']:.2f} %, {seconds:.1f} s")

    def _print(self, line: str) -> None:
        click.echo(line, err=True)
        self._printed = time.monotonic()


class Live:
    """A bar for the whole plan and one for each run in training."""

    def __init__(self, console: Console, total: int) -> None:
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
        from rich.progress import Progress as Bars

        self._bars = Bars(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TimeRemainingColumn(compact=True),
            TextColumn("{task.fields[numbers]}"),
            console=console,
            transient=True,
        )
        self._plan = self._bars.add_task("runs", total=total, numbers="")
        self._tasks: dict[RunSpec, TaskID] = {}

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bars.stop()

    def started(self, spec: RunSpec, epochs: int, done: Position) -> None:
        self._tasks[spec] = self._bars.add_task(spec.title, total=epochs, completed=done.epoch, numbers="")

    def epoch(self, spec: RunSpec, row: Mapping[str, Any]) -> None:
        self._bars.update(self._tasks[spec], completed=row["epoch"], numbers=_numbers(row))

    def finished(self, spec: RunSpec, result: Mapping[str, Any]) -> None:
        self._bars.remove_task(self._tasks.pop(spec))
        self._bars.advance(self._plan)


def _numbers(row: Mapping[str, Any]) -> str:
    accuracy = row.get("validation_accuracy")
    seen = f", validation {100 * accuracy:.2f} %" if accuracy is not None else ""
    return f"loss {row['train_loss']:.4f}{seen}"
