"""Carries out runs: from their specs, through fit, to finished folders in the store."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, Protocol

from kdrun.experiment.assemble import assemble
from kdrun.experiment.build import update_of
from kdrun.experiment.lab import Data, Lab
from kdrun.experiment.measure import finish
from kdrun.experiment.running import Clock, Running, begin, finished_network, mode_of
from kdrun.experiment.special import special_classes, special_of
from kdrun.experiment.stacks import steppers
from kdrun.experiment.teaching import teacher_of
from kdrun.runs.spec import RunSpec
from kdrun.training.learner import Position
from kdrun.training.loop import Reached, fit

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
    Returns a line for each run that could not be finished (its loss was not finite); its last state is kept.
    """
    if not specs[0].is_trained:
        _assemble(specs, lab, observer, Keeper(Clock(state_every_s), stop))
        return {}
    runs = [begin(spec, lab) for spec in specs]
    for run in runs:
        if classes := special_classes(run.learner.network, lab.data(run.spec.dataset)):
            observer.remarked(f"{run.spec.model['name']} is to know {classes}; all others are one class to it")
    positions = sorted({run.position for run in runs})
    observer.started(specs, specs[0].recipe["epochs"], positions[0])
    keeper = Keeper(Clock(state_every_s * len(runs)), stop)
    for position, until in pairwise([*positions, None]):
        together = [run for run in runs if run.position == position and run.failure is None]
        _train_together(together, until, lab, observer, keeper, stack_up_to=stack_up_to)
    _finish([run for run in runs if run.failure is None], lab, observer, keeper)
    return {run.spec: run.failure for run in runs if run.failure is not None}


@dataclass(frozen=True)
class Keeper:
    """Saves the states of runs when that is due or when training is to stop."""

    clock: Clock
    stop: Callable[[], bool]

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
            for run in runs:
                run.save()
            self.clock.saved()
        if stop:
            raise Interrupted


def _train_together(
    runs: Sequence[Running],
    until: Position | None,
    lab: Lab,
    observer: Observer,
    keeper: Keeper,
    *,
    stack_up_to: int,
) -> None:
    """Trains runs that stand at one position up to another, or to the end."""
    active = list(runs)
    data = lab.data(runs[0].spec.dataset)
    with teacher_of(runs, lab, observer, keeper.heed) as teacher:
        for reached in fit(
            # What is computed as one is not compiled.
            steppers(runs, stack_up_to=0 if lab.compiling.wanted else stack_up_to),
            teacher,
            data.training_batches(runs[0].spec, special_of(runs[0].spec, runs[0].learner.network)),
            epochs=runs[0].spec.recipe["epochs"],
            start=runs[0].position,
            pause=lambda: until is not None or keeper.is_wanted(),
        ):
            active = _advance(active, reached, data, observer, keeper.clock.lap() / len(active))
            keeper.keep(active)
            if reached.position == until:
                break


def _advance(active: list[Running], reached: Reached, data: Data, observer: Observer, seconds: float) -> list[Running]:
    """Notes how far the runs have come; returns those that go on."""
    bad = {id(lost.learner): lost.step for lost in reached.diverged}
    for run in active:
        run.position = reached.position
        run.seconds += seconds
        if id(run.learner) in bad:
            run.fail(bad[id(run.learner)])
        if run.failure is not None:
            observer.failed(run.spec, run.failure)
    going_on = [run for run in active if run.failure is None]
    if reached.epoch_done and going_on:
        observer.epoch({run.spec: run.add_row(data) for run in going_on})
    return going_on


def _finish(runs: Sequence[Running], lab: Lab, observer: Observer, keeper: Keeper) -> None:
    left = list(runs)
    while left:
        keeper.keep(left)
        run = left.pop(0)
        told = {
            "teacher_signals": run.teacher_signals,
            "epochs": run.spec.recipe["epochs"],
            "train_seconds": run.seconds,
        }
        observer.finished(run.spec, finish(run.spec, run.learner.network, lab, rows=run.rows, told=told))


def _assemble(specs: Sequence[RunSpec], lab: Lab, observer: Observer, keeper: Keeper) -> None:
    observer.started(specs, 0, Position(0, 0))
    for spec in specs:
        keeper.heed()
        observer.finished(spec, assemble(spec, lab))


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
