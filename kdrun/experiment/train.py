"""Carries out runs: from their specs, through fit, to finished folders in the store."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise
from traceback import clear_frames
from typing import Any, Protocol

from kdrun.errors import UserError, where
from kdrun.experiment.assemble import assemble
from kdrun.experiment.build import update_of
from kdrun.experiment.failures import Failures, NotFinite, not_finite
from kdrun.experiment.lab import Data, Lab
from kdrun.experiment.measure import finish
from kdrun.experiment.running import Clock, Running, begin, finished_network, mode_of
from kdrun.experiment.several import ObserverError, marking_errors
from kdrun.experiment.special import special_classes, special_of
from kdrun.experiment.stacks import guarded
from kdrun.experiment.teaching import teacher_of
from kdrun.machine import free_memory, is_device_lost, is_out_of_memory
from kdrun.runs.spec import RunSpec
from kdrun.teachers import Teacher
from kdrun.training.learner import Position
from kdrun.training.loop import Reached, Stream, fit

Rows = Mapping[RunSpec, Mapping[str, Any]]


class Observer(Protocol):
    """Is told of the progress of runs."""

    def started(self, specs: Sequence[RunSpec], epochs: int, done: Position) -> None:
        """Runs begin, or go on, side by side. done: where the one furthest behind stands."""
        ...

    def epoch(self, rows: Rows) -> None:
        """Runs that train side by side have ended an epoch, each with its row."""
        ...

    def finished(self, spec: RunSpec, result: Mapping[str, Any]) -> None: ...

    def failed(self, spec: RunSpec, reason: str) -> None: ...

    def filling(self, done: int, total: int) -> None:
        """A teacher is asked beforehand; done: of so many of its forward passes over an example."""
        ...

    def remarked(self, line: str) -> None:
        """Something came up that a user may want to know."""
        ...


class Interrupted(Exception):  # noqa: N818 - a wish, not an error
    """Training was asked to stop; the states are saved."""


def train(
    specs: Sequence[RunSpec],
    lab: Lab,
    observer: Observer,
    *,
    stop: Callable[[], bool],
    state_every_s: float,
    stack_up_to: int,
) -> dict[RunSpec, str]:
    """Trains runs side by side to the end, going on from their states where they were cut off.

    A run's files are the same whoever trains beside it. Those furthest behind catch up before all go on together.

    specs: one run, or several that share data, data seed, epochs, batch size, augmentation, precision, teachers,
        their signals' kind and rounding, and targets; those that nobody teaches go with any of them.
    state_every_s: states are written at the first step after so many seconds for each run, or at the end of an epoch,
        so that writing takes the same share of the time however many there are.
    stack_up_to: the most parameters of networks that are computed as one (`kdrun.experiment.stacks`).
    stop: asked after every step; when true the states are saved and Interrupted is raised.
    Returns a line for each run that could not be finished: it raised an error, or a number of it is not finite. Its
    last state is kept, and the others go on. Where it is not known which of them raised the error, and where memory ran
    out, they go on from their last states in halves, until the run is alone.
    Raises UserError for what stops the command.
    """
    apart = marking_errors(observer)
    failures = Failures(lab.store, apart)
    for spec in specs:
        lab.store.folder(spec).forget_failure()
    waiting, is_first = [list(specs)], True
    while waiting:
        group = waiting.pop()
        if not is_first:
            free_memory()
        keeper = Keeper(Clock(state_every_s * len(group)), stop, failures)
        try:
            _train_group(group, _Session(lab, apart, failures, keeper, stack_up_to))
        except ObserverError as error:
            raise error.__cause__ or error from None
        except (UserError, Interrupted):
            raise
        except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever a user's code raises, the others go on
            waiting += _after(error, group, lab, apart, failures, is_first=is_first)
            clear_frames(error.__traceback__)  # they refer to tensors
        is_first = False
    return failures.lines


def _after(
    error: BaseException, group: Sequence[RunSpec], lab: Lab, observer: Observer, failures: Failures, *, is_first: bool
) -> list[list[RunSpec]]:
    """What is left of a group after an error, in halves, the first one last; nothing of a run that was alone.

    is_first: whether it was the first attempt, before which earlier runs may have left memory that was not given back:
        then a run that was alone is tried again as well.
    """
    left = [spec for spec in failures.spared(group) if not lab.store.folder(spec).is_finished]
    if len(group) == 1 and is_first and is_out_of_memory(error):
        return [left]
    if len(group) == 1 and left:
        failures.add(left[0], error)
    if is_device_lost(error) or not left:
        raise error
    if len(group) == 1:
        return []
    half = math.ceil(len(left) / 2)
    if is_out_of_memory(error):
        observer.remarked(
            f"out of memory with {len(group)} runs side by side: tried again in halves; "
            f"executor.max_group={math.ceil(len(group) / 2)} begins with fewer"
        )
    else:
        observer.remarked(f"one of {len(group)} runs side by side failed, tried again in halves: {where(error)}")
    return [some for some in (left[half:], left[:half]) if some]


@dataclass(frozen=True)
class Keeper:
    """Saves the states of runs when that is due or when training is to stop."""

    clock: Clock
    stop: Callable[[], bool]
    failures: Failures

    def heed(self) -> None:
        """Raises Interrupted when training is to stop, with nothing to save."""
        if self.stop():
            raise Interrupted

    def is_wanted(self) -> bool:
        return self.stop() or self.clock.is_due()

    def keep(self, runs: Sequence[Running]) -> None:
        """Saves where that is due. Raises Interrupted when training is to stop."""
        stop = self.stop()
        if stop or self.clock.is_due():
            began = time.monotonic()
            for run in runs:
                with self.failures.of(run.spec):
                    run.save()
            self.clock.saved(began)
        if stop:
            raise Interrupted


@dataclass(frozen=True)
class _Session:
    """What one attempt at a group needs."""

    lab: Lab
    observer: Observer
    failures: Failures
    keeper: Keeper
    stack_up_to: int

    def spared(self, runs: Iterable[Running]) -> list[Running]:
        """Those that have not failed."""
        return [run for run in runs if run.spec not in self.failures.lines]

    def is_over(self, runs: Iterable[Running]) -> bool:
        """Whether all of them have failed; asked after every step."""
        return bool(self.failures.lines) and not self.spared(runs)


def _train_group(specs: Sequence[RunSpec], session: _Session) -> None:
    """Trains runs side by side, once. Raises what cannot be said to be the failure of one of them."""
    if not specs[0].is_trained:
        _assemble(specs, session)
        return
    lab, observer = session.lab, session.observer
    runs: list[Running] = []
    for spec in specs:
        with session.failures.of(spec):
            runs.append(begin(spec, lab))
    if not runs:
        return
    for run in runs:
        if classes := special_classes(run.learner.network, lab.data(run.spec.dataset)):
            observer.remarked(f"{run.spec.model['name']} is to know {classes}; all others are one class to it")
    positions = sorted({run.position for run in runs})
    observer.started([run.spec for run in runs], specs[0].recipe["epochs"], positions[0])
    for position, until in pairwise([*positions, None]):
        if together := session.spared(run for run in runs if run.position == position):
            _train_together(together, until, session)
    _finish(session.spared(runs), session)


def _train_together(runs: Sequence[Running], until: Position | None, session: _Session) -> None:
    """Trains runs that stand at one position up to another, or to the end."""
    active = list(runs)
    first, lab, keeper = runs[0].spec, session.lab, session.keeper
    data = lab.data(first.dataset)
    stream = data.training_batches(first, special_of(first, runs[0].learner.network))
    with teacher_of(runs, lab, session.observer, keeper.heed) as teacher:
        for reached in fit(
            # What is computed as one is not compiled.
            guarded(runs, session.failures, stack_up_to=0 if lab.compiling.wanted else session.stack_up_to),
            teacher,
            stream,
            epochs=first.recipe["epochs"],
            start=runs[0].position,
            pause=lambda: until is not None or keeper.is_wanted() or session.is_over(runs),
        ):
            seconds = keeper.clock.lap() / len(active)
            active = _advance(session.spared(active), reached, data, session, seconds, partial(_loss, teacher, stream))
            keeper.keep(active)
            active = session.spared(active)
            if reached.position == until or not active:
                break


def _advance(
    active: Sequence[Running],
    reached: Reached,
    data: Data,
    session: _Session,
    seconds: float,
    not_finite_loss: Callable[[Running, Position], NotFinite],
) -> list[Running]:
    """Notes how far the runs have come; returns those that go on."""
    bad = {id(lost.learner): lost.step for lost in reached.diverged}
    for run in active:
        run.position = reached.position
        run.seconds += seconds
        if id(run.learner) in bad:
            at = Position(reached.position.epoch - 1, bad[id(run.learner)])
            session.failures.add(run.spec, not_finite_loss(run, at))
    rows = {}
    if reached.epoch_done:
        for run in session.spared(active):
            with session.failures.of(run.spec):
                rows[run.spec] = run.add_row(data)
    if rows:
        session.observer.epoch(rows)
    return session.spared(active)


def _loss(teacher: Teacher | None, stream: Stream, run: Running, at: Position) -> NotFinite:
    """Says that a run's loss was not finite at a step, and whether it is for its teacher's outputs."""
    what = f"the loss is not finite at step {at.step + 1} of epoch {at.epoch + 1}"
    layers, spec = run.learner.mode.teacher_layers, run.spec
    if teacher is None or layers is None:
        return NotFinite(what)
    outputs = teacher.signals(next(iter(stream.epoch(at.epoch, start=at.step))))
    bad = not_finite(
        {"logits": outputs.logits} | {name: one for name, one in outputs.features.items() if name in layers}
    )
    if not bad:
        return NotFinite(what)
    advice = "try cache.dtype=fp32" if spec.teacher_dtype == "fp16" else "choose another teacher"
    name = spec.teacher.title if spec.teacher else "its teacher"
    return NotFinite(f"{what}, because outputs of {name} ({', '.join(bad)}) are not finite for that batch", advice)


def _finish(runs: Sequence[Running], session: _Session) -> None:
    left = list(runs)
    while left:
        session.keeper.keep(left)
        left = session.spared(left)
        if not left:
            return
        run = left.pop(0)
        told = {
            "teacher_signals": run.teacher_signals,
            "epochs": run.spec.recipe["epochs"],
            "train_seconds": run.seconds,
        }
        with session.failures.of(run.spec):
            result = finish(run.spec, run.learner.network, session.lab, rows=run.rows, told=told)
            session.observer.finished(run.spec, result)


def _assemble(specs: Sequence[RunSpec], session: _Session) -> None:
    session.observer.started(specs, 0, Position(0, 0))
    for spec in specs:
        session.keeper.heed()
        with session.failures.of(spec):
            session.observer.finished(spec, assemble(spec, session.lab))


def preflight(specs: Sequence[RunSpec], lab: Lab) -> None:
    """Puts together everything that the runs need, once for runs that differ in their seed only; trains nothing.

    Raises UserError for what is missing, damaged or does not fit together.
    """
    seen: set[str] = set()
    for spec in specs:
        alike = replace(spec, seed=0, data_seed=0).fingerprint
        if alike not in seen:
            seen.add(alike)
            data = lab.data(spec.dataset)
            for parent in spec.parents:
                if lab.store.folder(parent).is_finished:
                    finished_network(parent, lab)
            mode, steps = mode_of(spec, lab), data.training_batches(spec).steps_per_epoch
            if spec.is_trained:
                update_of(spec.recipe, list(mode.trained.parameters()), steps)
