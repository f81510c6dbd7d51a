"""Progress and outcome for programs: one JSON object a line on stdout."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import click

if TYPE_CHECKING:
    from kdrun.cli.tally import Tally
    from kdrun.experiment.train import Rows
    from kdrun.runs.spec import RunSpec
    from kdrun.training.learner import Position


def tell(event: str, facts: Mapping[str, Any]) -> None:
    """Prints one event. Numbers that are not finite, which JSON does not have, become null."""
    finite = {
        key: None if isinstance(value, float) and not math.isfinite(value) else value for key, value in facts.items()
    }
    click.echo(json.dumps({"event": event} | finite, allow_nan=False))


class JsonLines:
    """A line for each run that begins, each epoch of each run, and each run that ends.

    tally: has been told whatever this is told.
    """

    def __init__(self, tally: Tally) -> None:
        self._tally = tally

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def started(self, specs: Sequence[RunSpec], epochs: int, done: Position) -> None:
        for spec in specs:
            tell("started", {"run_id": spec.run_id, "title": spec.title, "epochs": epochs, "epochs_done": done.epoch})

    def epoch(self, rows: Rows) -> None:
        seconds = self._tally.seconds_left()
        left = None if seconds is None else round(seconds, 1)
        for spec, row in rows.items():
            tell("epoch", {"run_id": spec.run_id, **row, "plan_seconds_left": left})

    def finished(self, spec: RunSpec, result: Mapping[str, Any]) -> None:
        tell("finished", result)

    def failed(self, spec: RunSpec, reason: str) -> None:
        tell("failed", {"run_id": spec.run_id, "title": spec.title, "reason": reason})

    def filling(self, done: int, total: int) -> None:
        tell("filling", {"done": done, "total": total})

    def remarked(self, line: str) -> None:
        click.echo(line, err=True)
