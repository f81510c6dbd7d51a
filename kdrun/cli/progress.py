"""Progress of a plan: a live display on a terminal, plain lines elsewhere, nothing when quiet."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol, Self

import click

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import TaskID

    from kdrun.experiment.train import Rows
    from kdrun.runs.spec import RunSpec
    from kdrun.training.learner import Position

PLAIN_EVERY_S = 1.0


class Progress(Protocol):
    """An observer of runs (see `kdrun.experiment.train.Observer`), open while the plan is carried out."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def started(self, specs: Sequence[RunSpec], epochs: int, done: Position) -> None: ...

    def epoch(self, rows: Rows) -> None: ...

    def finished(self, spec: RunSpec, result: Mapping[str, Any]) -> None: ...

    def failed(self, spec: RunSpec, reason: str) -> None: ...

    def filling(self, done: int, total: int) -> None: ...

    def remarked(self, line: str) -> None: ...


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

    def started(self, specs: Sequence[RunSpec], epochs: int, done: Position) -> None:
        pass

    def epoch(self, rows: Rows) -> None:
        pass

    def finished(self, spec: RunSpec, result: Mapping[str, Any]) -> None:
        pass

    def failed(self, spec: RunSpec, reason: str) -> None:
        pass

    def filling(self, done: int, total: int) -> None:
        pass

    def remarked(self, line: str) -> None:
        pass


class Plain:
    """One line for each group of runs that begins and each run that ends, and for epochs, at most one a second."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._numbers: dict[RunSpec, int] = {}
        self._epochs: dict[RunSpec, int] = {}
        self._printed = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def started(self, specs: Sequence[RunSpec], epochs: int, done: Position) -> None:
        for spec in specs:
            self._epochs[spec] = epochs
            self._numbers.setdefault(spec, len(self._numbers) + 1)
        numbers = _range([self._numbers[spec] for spec in specs], "{}", "-")
        goes_on = f", goes on in epoch {done.epoch + 1}" if any(done) else ""
        self._print(f"[{numbers}/{self._total}] {_title(specs)}: {epochs} epochs{goes_on}")

    def epoch(self, rows: Rows) -> None:
        if time.monotonic() - self._printed >= PLAIN_EVERY_S:
            spec, row = next(iter(rows.items()))
            self._print(f"  {_title(list(rows))}: epoch {row['epoch']}/{self._epochs[spec]}, {_measured(rows)}")

    def finished(self, spec: RunSpec, result: Mapping[str, Any]) -> None:
        seconds = result["train_seconds"]
        self._print(f"  {spec.title}: test accuracy {100 * result['test_accuracy']:.2f} %, {seconds:.1f} s")

    def failed(self, spec: RunSpec, reason: str) -> None:
        self._print(f"  {reason}")

    def filling(self, done: int, total: int) -> None:
        if time.monotonic() - self._printed >= PLAIN_EVERY_S:
            self._print(f"  teacher's table: {done:,} of {total:,} forward passes")

    def remarked(self, line: str) -> None:
        self._print(f"  {line}")

    def _print(self, line: str) -> None:
        click.echo(line, err=True)
        self._printed = time.monotonic()


class Live:
    """A bar for the whole plan and one for each group of runs in training."""

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
        self._tasks: dict[RunSpec, TaskID] = {}  # runs in training
        self._table: TaskID | None = None  # being filled

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bars.stop()

    def started(self, specs: Sequence[RunSpec], epochs: int, done: Position) -> None:
        for spec in specs:
            self._leave(spec)
        task = self._bars.add_task(_title(specs), total=epochs, completed=done.epoch, numbers="")
        self._tasks |= dict.fromkeys(specs, task)

    def epoch(self, rows: Rows) -> None:
        spec, row = next(iter(rows.items()))
        self._bars.update(self._tasks[spec], completed=row["epoch"], numbers=_measured(rows))

    def finished(self, spec: RunSpec, result: Mapping[str, Any]) -> None:
        self._leave(spec)
        self._bars.advance(self._plan)

    def failed(self, spec: RunSpec, reason: str) -> None:
        self._leave(spec)
        self._bars.advance(self._plan)

    def filling(self, done: int, total: int) -> None:
        if self._table is None:
            self._table = self._bars.add_task("teacher's table", total=total, numbers="")
        self._bars.update(self._table, completed=done, total=total)
        if done == total:
            self._bars.remove_task(self._table)
            self._table = None

    def remarked(self, line: str) -> None:
        self._bars.console.print(line, highlight=False, markup=False, soft_wrap=True)

    def _leave(self, spec: RunSpec) -> None:
        """Takes a run out of its group; the bar goes with the last one."""
        task = self._tasks.pop(spec, None)
        if task is not None and task not in self._tasks.values():
            self._bars.remove_task(task)


def _title(specs: Sequence[RunSpec]) -> str:
    return specs[0].title if len(specs) == 1 else f"{len(specs)} runs side by side"


def _measured(rows: Rows) -> str:
    losses = _range([row["train_loss"] for row in rows.values()], "{:.4f}", " to ")
    accuracies = [100 * row["validation_accuracy"] for row in rows.values() if "validation_accuracy" in row]
    seen = f", validation {_range(accuracies, '{:.2f}', ' to ')} %" if accuracies else ""
    return f"loss {losses}{seen}"


def _range(values: Sequence[float], form: str, between: str) -> str:
    """The least and the greatest of the values, or the only one."""
    ends = (form.format(min(values)), form.format(max(values)))
    return between.join(dict.fromkeys(ends))
