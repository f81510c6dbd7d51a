"""Runs side by side in this process: one stream of batches and one teacher pass for each group of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from kdrun.executors.agenda import Agenda
from kdrun.executors.free import POLL_S, train_free
from kdrun.executors.limits import Limits
from kdrun.experiment.lab import Lab
from kdrun.experiment.train import Interrupted, Observer
from kdrun.runs.spec import RunSpec


class Lockstep:
    """Carries out a plan group by group; runs that another process is training are left to it.

    A run's files are the same as if it were trained alone, as with `max_group` 1 every run is.

    max_group, memory_share: bounds of a group, see `Limits`.
    state_every_s: a training state is written at the first step after so many seconds of each run's own training, or
        at the end of an epoch; a kill loses no more than that, or than 50 times what writing takes.
    stack_up_to: perceptrons of one architecture and up to so many parameters are computed as one, to
        rounding (`kdrun.training.stack`); 0: none are.
    """

    def __init__(self, *, max_group: int, memory_share: float, state_every_s: float, stack_up_to: int) -> None:
        self._limits = Limits(max_group, memory_share)
        self._state_every_s, self._stack_up_to = state_every_s, stack_up_to

    def groups(self, specs: Sequence[RunSpec], lab: Lab) -> list[list[RunSpec]]:
        return self._limits.groups(specs, lab)

    def execute(self, specs: Sequence[RunSpec], lab: Lab, observer: Observer, *, stop: Callable[[], bool]) -> list[str]:
        agenda = Agenda(specs, lab.store, observer)
        while agenda.left():
            for group in self._limits.groups(agenda.ready(), lab):
                failures = train_free(
                    group, lab, observer, stop=stop, state_every_s=self._state_every_s, stack_up_to=self._stack_up_to
                )
                if failures is not None:
                    agenda.failed(failures)
                    break  # what is ready has changed
            else:
                _wait(stop)
        return list(agenda.failures.values())


def _wait(stop: Callable[[], bool]) -> None:
    if stop():
        raise Interrupted
    time.sleep(POLL_S)
