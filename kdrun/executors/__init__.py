"""Executors: how the runs of a plan are carried out. All give the same results."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from kdrun.runs.spec import RunSpec


class Executor(Protocol):
    """Carries out the runs that are not finished, each after its parents.

    specs: the runs of a plan, parents first; finished ones are passed over.
    lab: what the runs share (`kdrun.experiment.lab.Lab`). observer: is told of progress.
    stop: asked often; when true the states are saved and Interrupted is raised.
    Returns one line for each run that could not be finished, whatever its error was; the others go on without it. What
    concerns the command (wrong input, a full disk) is raised as UserError.
    """

    def groups(self, specs: Sequence[RunSpec], lab: Any) -> list[list[RunSpec]]:
        """The runs as they would train side by side if all could begin, each group under a teacher pass of its own."""
        ...

    def execute(self, specs: Sequence[RunSpec], lab: Any, observer: Any, *, stop: Callable[[], bool]) -> list[str]: ...


__all__ = ["Executor"]
