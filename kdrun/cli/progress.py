"""What a display of progress is, and the one that shows none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol, Self

import click

if TYPE_CHECKING:
    from kdrun.experiment.train import Rows
    from kdrun.runs.spec import RunSpec
    from kdrun.training.learner import Position


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


class Silent:
    """Shows nothing but remarks."""

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
        click.echo(line, err=True)
