"""Carries out runs: from their specs, through fit, to finished folders in the store."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol

from kdrun.experiment.build import optimizer_of
from kdrun.experiment.lab import Data, Lab
from kdrun.experiment.measure import finish
from kdrun.experiment.running import Clock, Running, begin, finished_network, mode_of
from kdrun.runs.spec import RunSpec
from kdrun.teachers import Teacher
from kdrun.teachers.network import NetworkTeacher
from kdrun.training.learner import Position
from kdrun.training.loop import Reached, fit
from kdrun.training.precision import autocast


class Observer(Protocol):
    """Is told of the progress of runs."""

    def started(self, spec: RunSpec, epochs: int, done: Position) -> None: ...

    def epoch(self, spec: RunSpec, row: Mapping[str, Any]) -> None: ...

    def finished(self, spec: RunSpec, result: Mapping[str, Any]) -> None: ...


class Interrupted(Exception):  # noqa: N818 - a wish, not an error
    """Training was asked to stop; the states are saved."""


def train(
    specs: Sequence[RunSpec],
    lab: Lab,
    observer: Observer,
    *,
    stop: Callable[[], bool],
    state_every_s: float,
) -> dict[RunSpec, str]:
    """Trains runs side by side to the end, going on from their states where they were cut off.

    specs: one run, or several that share data, data seed, recipe, precision, teachers and targets.
    state_every_s: states are written at the first step after so many seconds, or at the end of an epoch.
    stop: asked after every step; when true the states are saved and Interrupted is raised.
    Returns a line for each run that could not be finished (its loss was not finite); its last state is kept.
    """
    runs = [begin(spec, lab) for spec in specs]
    for run in runs:
        observer.started(run.spec, run.spec.recipe["epochs"], run.position)
    for position in sorted({run.position for run in runs}):
        together = [run for run in runs if run.position == position]
        _train_together(together, lab, observer, stop, Clock(state_every_s))
    return {run.spec: run.failure for run in runs if run.failure is not None}


def _train_together(
    runs: Sequence[Running], lab: Lab, observer: Observer, stop: Callable[[], bool], clock: Clock
) -> None:
    spec = runs[0].spec
    data = lab.data(spec.dataset)
    active = list(runs)
    for reached in fit(
        [run.learner for run in runs],
        _teacher_of(spec, lab, runs),
        data.training_batches(spec),
        epochs=spec.recipe["epochs"],
        start=runs[0].position,
        pause=lambda: stop() or clock.is_due(),
    ):
        active = _advance(active, reached, data, observer, clock.lap() / len(active))
        if stop() or clock.is_due():
            for run in active:
                run.save()
            clock.saved()
        if stop():
            raise Interrupted
    for run in active:
        observer.finished(run.spec, finish(run, data, lab))


def _advance(active: list[Running], reached: Reached, data: Data, observer: Observer, seconds: float) -> list[Running]:
    """Notes how far the runs have come; returns those that go on."""
    bad = {id(lost.learner): lost.step for lost in reached.diverged}
    for run in active:
        run.position = reached.position
        run.seconds += seconds
        if id(run.learner) in bad:
            run.fail(bad[id(run.learner)])
        elif reached.epoch_done:
            observer.epoch(run.spec, run.add_row(data))
    return [run for run in active if run.failure is None]


def _teacher_of(spec: RunSpec, lab: Lab, runs: Sequence[Running]) -> Teacher | None:
    """The one teacher that all the runs ask, with every feature that any of them reads."""
    asked = [run.learner.mode.teacher_layers for run in runs]
    if all(layers is None for layers in asked):
        return None
    layers = [layer for some in asked for layer in some or ()]
    (parent,) = spec.parents
    return NetworkTeacher(finished_network(parent, lab), layers, autocast(lab.device, spec.precision))


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
            mode = mode_of(spec, lab)
            optimizer_of(spec.recipe, list(mode.trained.parameters()), data.training_batches(spec).steps_per_epoch)
