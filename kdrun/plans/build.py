"""Plans of the commands. `distill` is a sweep of one point; a sweep is the union of its points' plans."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from kdrun.config.loss_weights import has_mixed
from kdrun.config.schema import Config
from kdrun.experiment.build import dataset_description, make, training_examples
from kdrun.plans import Plan, PointLabels, Row, Use, Way
from kdrun.plans.assembled import with_offset
from kdrun.plans.listed import check_beginnings
from kdrun.plans.specs import Specs
from kdrun.runs.finding import NOBODY
from kdrun.runs.spec import RunSpec
from kdrun.runs.trust import Trust

OFFSET = "offset"  # the variant of a row

PointConfig = tuple[Config, str]  # a point's configuration, and its swept overrides as text


def comparison_plan(points: Sequence[PointConfig], trust: Trust = NOBODY) -> Plan:
    """For each row of each point: its teachers, and for each seed a baseline, each control and a student.

    trust: what the descriptions of finished runs that teach may name.
    Raises UserError where the data of a point are not there, for what a mode cannot do, and for a finished run that
    would teach a network that begins as its own did.
    """
    labels: list[PointLabels] = []
    uses: list[Use] = []
    for specs, overrides in _specs(points, trust):
        way: Way = make(specs.config.mode["plan"])
        rows = list(_with_offsets(way.rows(specs)))
        check_beginnings(specs.finished_teachers, [one.run for row in rows for one in row.learners])
        for row in rows:
            uses += _compared(len(labels), row, specs)
            labels.append(_labels(row, specs, overrides))
    return Plan(tuple(labels), tuple(uses))


def teacher_plan(points: Sequence[PointConfig], trust: Trust = NOBODY) -> Plan:
    """For each point: its teacher."""
    labels: list[PointLabels] = []
    uses: list[Use] = []
    for specs, overrides in _specs(points, trust):
        teacher = specs.teacher()
        uses.append(Use(len(labels), "teacher", "", teacher.seed, teacher, None))
        labels.append(_named(teacher, specs, overrides))
    return Plan(tuple(labels), tuple(uses))


def _specs(points: Sequence[PointConfig], trust: Trust) -> Iterator[tuple[Specs, str]]:
    described: dict[str, dict[str, Any]] = {}
    whole: dict[str, int | None] = {}
    for config, overrides in points:
        dataset, data_root = asdict(config.dataset), Path(config.data_root)
        key = json.dumps([dataset, config.data_root], sort_keys=True, default=str)
        if key not in described:
            described[key] = dataset_description(dataset, data_root)
        if key not in whole and {config.train_size, config.teacher_train_size} != {None}:
            whole[key] = training_examples(dataset, data_root)
        yield Specs(_with_sizes(config, whole.get(key)), described[key], trust), overrides


def _with_sizes(config: Config, whole: int | None) -> Config:
    """With None for a size that is the whole training part's."""
    students, teachers = (None if size == whole else size for size in (config.train_size, config.teacher_train_size))
    return replace(config, train_size=students, teacher_train_size=teachers)


def _with_offsets(rows: Iterable[Row]) -> Iterator[Row]:
    """After each row whose students lack classes that their teacher was shown, the same with their biases mended."""
    for row in rows:
        yield row
        mended = [
            replace(one, run=with_offset(one.run, one.teacher))
            for one in row.learners
            if one.teacher is not None and "omit" in one.run.examples and "omit" not in one.teacher.examples
        ]
        if mended:
            yield replace(row, learners=tuple(mended), variant=", ".join(filter(None, [row.variant, OFFSET])))


def _compared(point: int, row: Row, specs: Specs) -> Iterator[Use]:
    for teacher in dict.fromkeys(one.teacher for one in row.learners):
        if teacher is not None:
            yield Use(point, "teacher", "", teacher.seed, teacher, None)
    for one in row.learners:
        yield Use(point, "baseline", "", one.seed, one.baseline, one.teacher)
    for name in specs.config.controls:
        for one in row.learners:
            teacher, own = one.substituted or one.teacher, specs.with_student(one.baseline.model)
            yield Use(point, "control", name, one.seed, own.control(one.seed, name, teacher), teacher)
    for one in row.learners:
        yield Use(point, "student", "", one.seed, one.run, one.teacher)


def _labels(row: Row, specs: Specs, overrides: str) -> PointLabels:
    teachers = dict.fromkeys(one.teacher.model["name"] for one in row.learners if one.teacher is not None)
    student = row.learners[0].baseline.model["name"]  # also of an ensemble, which stands beside the single networks
    named = _named(row.learners[0].run, specs, overrides)
    called = row.teachers or "+".join(teachers)
    return replace(named, student=student, teacher=called, variant=row.variant)


def _named(run: RunSpec, specs: Specs, overrides: str) -> PointLabels:
    config, labels, mixed = specs.config, specs.weights.labels, has_mixed(specs.config.knowledge)
    taus = {float(term["tau"]) for term in config.knowledge.values() if "tau" in term}
    return PointLabels(
        dataset=config.dataset.name,
        teacher=run.model["name"],
        student=run.model["name"],
        knowledge="+".join(config.knowledge),
        mode=config.mode["name"],
        tau=taus.pop() if len(taus) == 1 else None,
        alpha=config.alpha if mixed else None,
        label_weight=1 - config.alpha if labels is None else labels,
        overrides=overrides,
        variant="",
        tau_schedule=_told(config.tau_schedule),
        alpha_schedule=_told(config.alpha_schedule) if mixed else "",
    )


def _told(schedule: Mapping[str, Any]) -> str:
    return f"{schedule['name']} from {schedule['start']:g}" if "start" in schedule else ""
