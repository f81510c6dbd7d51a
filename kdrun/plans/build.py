"""Plans of the commands. `distill` is a sweep of one point; a sweep is the union of its points' plans."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from kdrun.config.schema import Config
from kdrun.experiment.build import dataset_description
from kdrun.plans import Plan, PointLabels, Use
from kdrun.plans.specs import baseline_spec, control_spec, student_spec, teacher_spec

PointConfig = tuple[Config, str]  # a point's configuration, and its swept overrides as text


def comparison_plan(points: Sequence[PointConfig]) -> Plan:
    """For each point: its teacher, and for each seed a baseline, each control and a student.

    Raises UserError where the data of a point are not there.
    """
    return _plan(points, _compared)


def teacher_plan(points: Sequence[PointConfig]) -> Plan:
    """For each point: its teacher."""
    return _plan(points, _taught)


def _plan(points: Sequence[PointConfig], uses_of: Any) -> Plan:
    described: dict[str, dict[str, Any]] = {}
    uses: list[Use] = []
    for number, (config, _) in enumerate(points):
        key = json.dumps([asdict(config.dataset), config.data_root], sort_keys=True, default=str)
        if key not in described:
            described[key] = dataset_description(asdict(config.dataset), Path(config.data_root))
        uses += uses_of(number, config, described[key])
    return Plan(tuple(_labels(config, text) for config, text in points), tuple(uses))


def _taught(point: int, config: Config, dataset: dict[str, Any]) -> Iterator[Use]:
    yield Use(point, "teacher", "", config.teacher_seed, teacher_spec(config, dataset))


def _compared(point: int, config: Config, dataset: dict[str, Any]) -> Iterable[Use]:
    yield from _taught(point, config, dataset)
    for seed in config.seeds:
        yield Use(point, "baseline", "", seed, baseline_spec(config, dataset, seed))
    for name in config.controls:
        for seed in config.seeds:
            yield Use(point, "control", name, seed, control_spec(config, dataset, seed, name))
    for seed in config.seeds:
        yield Use(point, "student", "", seed, student_spec(config, dataset, seed))


def _labels(config: Config, overrides: str) -> PointLabels:
    taus = {float(term["tau"]) for term in config.knowledge.values() if "tau" in term}
    return PointLabels(
        dataset=config.dataset.name,
        teacher=config.teacher["name"],
        student=config.student["name"],
        knowledge="+".join(config.knowledge),
        mode=config.mode["name"],
        tau=taus.pop() if len(taus) == 1 else None,
        alpha=config.alpha,
        overrides=overrides,
    )
