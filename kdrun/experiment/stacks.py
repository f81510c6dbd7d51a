"""Which runs of a group are computed as one."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import torch

from kdrun.experiment.failures import Failures
from kdrun.experiment.running import Running
from kdrun.runs.identity import text
from kdrun.runs.spec import RunSpec
from kdrun.signals import Batch, Signals
from kdrun.training.learner import Learner, Position
from kdrun.training.loop import Stepper
from kdrun.training.stack import Member, Stack, member


class Guarded:
    """A stepper that goes on without those of its learners whose runs have failed.

    An error of a learner that steps by itself is the failure of its run; that of a stack is raised.
    """

    def __init__(self, stepper: Stepper, specs: dict[Learner, RunSpec], failures: Failures) -> None:
        self._steppers: Sequence[Stepper] = (stepper,)
        self._specs, self._failures = specs, failures
        self._noted = 0  # how many failures are taken account of

    @property
    def learners(self) -> tuple[Learner, ...]:
        return tuple(learner for one in self._steppers for learner in one.learners)

    def step(self, batch: Batch, teacher: Signals | None, position: Position) -> None:
        """One update of each learner whose run has not failed."""
        self._drop_failed()
        for one in self._steppers:
            if len(one.learners) > 1:
                one.step(batch, teacher, position)
            else:
                with self._failures.of(self._specs[one.learners[0]]):
                    one.step(batch, teacher, position)

    def without(self, lost: Collection[Learner]) -> tuple[Guarded, ...]:
        """What goes on when some learners stop, its own or others."""
        self._drop_failed()
        self._drop(lost)
        return (self,) if self._steppers else ()

    def _drop_failed(self) -> None:
        failed = self._failures.lines
        if len(failed) != self._noted:
            self._noted = len(failed)
            self._drop([learner for learner in self.learners if self._specs[learner] in failed])

    def _drop(self, lost: Collection[Learner]) -> None:
        if lost:
            self._steppers = [rest for one in self._steppers for rest in one.without(lost)]


def guarded(runs: Sequence[Running], failures: Failures, *, stack_up_to: int) -> list[Guarded]:
    """The steppers of runs, each without the runs that fail meanwhile."""
    specs = {run.learner: run.spec for run in runs}
    return [Guarded(stepper, specs, failures) for stepper in steppers(runs, stack_up_to=stack_up_to)]


def steppers(runs: Sequence[Running], *, stack_up_to: int) -> list[Stepper]:
    """Runs that train side by side, as the loop steps them: those of equal networks stacked where that can be.

    stack_up_to: the most parameters of a network; 0 to have each run take its steps by itself.
    """
    alike: dict[str, list[Member]] = {}
    for run in runs:
        one = member(run.learner)
        if one is not None and sum(map(torch.numel, one.parameters)) <= stack_up_to:
            alike.setdefault(text(run.spec.identity["model"]), []).append(one)
    stacks = [Stack(some) for some in alike.values() if len(some) > 1]
    stacked = [learner for some in stacks for learner in some.learners]
    return [*stacks, *(run.learner for run in runs if run.learner not in stacked)]
