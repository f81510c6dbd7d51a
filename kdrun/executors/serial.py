"""One run after the other in this process; runs that another process is training are left to it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from filelock import Timeout

from kdrun.experiment.lab import Lab
from kdrun.experiment.train import Interrupted, Observer, train
from kdrun.runs.spec import RunSpec

POLL_S = 0.2


@dataclass(frozen=True)
class Serial:
    """The serial executor.

    state_every_s: a training state is written at the first step after so many seconds, or at the end of an epoch;
        a kill loses no more than that.
    """

    state_every_s: float

    def execute(self, specs: Sequence[RunSpec], lab: Lab, observer: Observer, *, stop: Callable[[], bool]) -> list[str]:
        failures: dict[RunSpec, str] = {}
        pending = list(specs)
        while pending := [spec for spec in pending if not (spec in failures or _is_finished(spec, lab))]:
            moved = False
            for spec in pending:
                if any(parent in failures for parent in spec.parents):
                    failures[spec] = f"{spec.title}: not trained, because its teacher could not be"
                elif all(_is_finished(parent, lab) for parent in spec.parents):
                    moved |= self._train_if_free(spec, lab, observer, stop, failures)
            if not moved:
                _wait(stop)
        return list(failures.values())

    def _train_if_free(
        self, spec: RunSpec, lab: Lab, observer: Observer, stop: Callable[[], bool], failures: dict[RunSpec, str]
    ) -> bool:
        """Trains a run unless another process does; says whether anything was done."""
        lock = lab.store.folder(spec).lock()
        try:
            with lock.acquire(timeout=0):
                if not _is_finished(spec, lab):
                    failures.update(train([spec], lab, observer, stop=stop, state_every_s=self.state_every_s))
                return True
        except Timeout:
            return False


def _is_finished(spec: RunSpec, lab: Lab) -> bool:
    return lab.store.folder(spec).is_finished


def _wait(stop: Callable[[], bool]) -> None:
    if stop():
        raise Interrupted
    time.sleep(POLL_S)
