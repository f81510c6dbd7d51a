"""Progress as plain lines on stderr: for pipes, files and logs."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import click

from kdrun.cli import words

if TYPE_CHECKING:
    from kdrun.cli.tally import Tally
    from kdrun.experiment.train import Rows
    from kdrun.runs.spec import RunSpec
    from kdrun.training.learner import Position

EVERY_S = 1.0


class Plain:
    """One line for each group of runs that begins and each run that ends, and for epochs, at most one a second.

    tally: has been told whatever this is told.
    """

    def __init__(self, tally: Tally) -> None:
        self._tally = tally
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
        before = self._tally.before
        for spec in specs:
            self._epochs[spec] = epochs
            self._numbers.setdefault(spec, before + len(self._numbers) + 1)
        numbers = words.spread([self._numbers[spec] for spec in specs], "{}", "-")
        goes_on = f", goes on in epoch {done.epoch + 1}" if any(done) else ""
        self._print(f"[{numbers}/{self._tally.total}] {words.title(specs)}: {words.work(specs, epochs)}{goes_on}")

    def epoch(self, rows: Rows) -> None:
        if time.monotonic() - self._printed >= EVERY_S:
            spec, row = next(iter(rows.items()))
            left = words.time_left(self._tally.seconds_left())
            told = ", ".join(
                [f"epoch {row['epoch']}/{self._epochs[spec]}", *_measured(rows), *([left] if left else [])]
            )
            self._print(f"  {words.title(list(rows))}: {told}")

    def finished(self, spec: RunSpec, result: Mapping[str, Any]) -> None:
        seconds = result["train_seconds"]
        self._print(f"  {spec.title}: test accuracy {100 * result['test_accuracy']:.2f} %, {seconds:.1f} s")

    def failed(self, spec: RunSpec, reason: str) -> None:
        self._print(f"  {reason}")

    def filling(self, done: int, total: int) -> None:
        if time.monotonic() - self._printed >= EVERY_S:
            self._print(f"  asking the teacher beforehand: {done:,}/{total:,}")

    def remarked(self, line: str) -> None:
        self._print(line)

    def _print(self, line: str) -> None:
        click.echo(line, err=True)
        self._printed = time.monotonic()


def _measured(rows: Rows) -> list[str]:
    losses, accuracies = words.losses(rows), words.accuracies(rows)
    told = [f"loss {words.spread(losses, '{:.4f}', ' to ')}"]
    return told + ([f"validation {words.spread(accuracies, '{:.2f}', ' to ')} %"] if accuracies else [])
