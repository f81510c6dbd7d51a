"""Run specs from configuration: the teacher, the baselines, the controls and the students of one point."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from kdrun.config.schema import Config, Recipe
from kdrun.runs.spec import RunSpec

Dataset = Mapping[str, Any]


def teacher_spec(config: Config, dataset: Dataset) -> RunSpec:
    """The teacher: labels only, its own recipe, its own share of the training part."""
    return RunSpec(
        kind="teacher",
        seed=config.teacher_seed,
        data_seed=config.teacher_seed,
        dataset=dataset,
        train_size=config.teacher_train_size,
        model=config.teacher,
        recipe=_plain(config.train.teacher),
        precision=config.precision,
        alpha=0.0,
        terms={},
        mode=None,
        targets={},
        parents=(),
    )


def baseline_spec(config: Config, dataset: Dataset, seed: int) -> RunSpec:
    """The student trained on labels alone: the same for every tau, alpha and kind of knowledge."""
    return _student(config, dataset, seed, kind="baseline", alpha=0.0, terms={}, targets=None)


def control_spec(config: Config, dataset: Dataset, seed: int, name: str) -> RunSpec:
    """A student trained on a substitute for the teacher (conf/controls); at alpha = 0 it is the baseline."""
    control = config.controls[name]
    if control["alpha"] == 0:
        return baseline_spec(config, dataset, seed)
    return _student(
        config,
        dataset,
        seed,
        kind="control",
        alpha=float(control["alpha"]),
        terms=control["knowledge"],
        targets=control["targets"],
    )


def student_spec(config: Config, dataset: Dataset, seed: int) -> RunSpec:
    """The distilled student; at alpha = 0 it is the baseline."""
    if config.alpha == 0:
        return baseline_spec(config, dataset, seed)
    return _student(config, dataset, seed, kind="student", alpha=config.alpha, terms=config.knowledge, targets={})


def _student(
    config: Config,
    dataset: Dataset,
    seed: int,
    *,
    kind: Any,
    alpha: float,
    terms: Mapping[str, Mapping[str, Any]],
    targets: Mapping[str, Any] | None,
) -> RunSpec:
    """A student, baseline or control; targets: None where there is no teacher at all."""
    taught = targets is not None
    return RunSpec(
        kind=kind,
        seed=seed,
        data_seed=seed if config.data_seed is None else config.data_seed,
        dataset=dataset,
        train_size=config.train_size,
        model=config.student,
        recipe=_plain(config.train.student),
        precision=config.precision,
        alpha=alpha,
        terms=terms,
        mode=config.mode if taught else None,
        targets=targets or {},
        parents=(teacher_spec(config, dataset),) if taught else (),
    )


def _plain(recipe: Recipe) -> dict[str, Any]:
    return asdict(recipe)
