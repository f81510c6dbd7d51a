"""Training of those runs that no other process trains."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack

from filelock import Timeout

from kdrun.executors.groups import groups
from kdrun.experiment.lab import Lab
from kdrun.experiment.train import Observer, train
from kdrun.runs.spec import RunSpec

POLL_S = 0.2  # how long to wait before looking again for runs that others hold


def train_free(
    specs: Sequence[RunSpec],
    lab: Lab,
    observer: Observer,
    *,
    stop: Callable[[], bool],
    state_every_s: float,
    stack_up_to: int,
) -> dict[RunSpec, str] | None:
    """Trains, side by side, those of the runs that no other process holds, and holds them meanwhile.

    What another process has finished by now is passed over.
    Returns a line for each run that could not be finished (see `kdrun.experiment.train`); None where all are held.
    """
    with ExitStack() as locks:
        held = [spec for spec in specs if _hold(spec, lab, locks)]
        new = [spec for spec in held if not lab.store.folder(spec).is_finished]
        failures: dict[RunSpec, str] = {}
        # Meanwhile another process may have begun one of them in its own way: then they train apart.
        for group in groups(new, lab.teacher_signals):
            failures |= train(group, lab, observer, stop=stop, state_every_s=state_every_s, stack_up_to=stack_up_to)
        return failures if held else None


def _hold(spec: RunSpec, lab: Lab, locks: ExitStack) -> bool:
    try:
        locks.enter_context(lab.store.folder(spec).lock().acquire(timeout=0))
    except Timeout:
        return False
    return True
