"""The frozen schema that every composed configuration must fit. Numbers live in conf/, not here."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

from omegaconf import MISSING

from kdrun.errors import UserError

PRECISIONS = ("fp32", "bf16")


@dataclass(frozen=True)
class Dataset:
    """One data set: its source, split and normalisation (mean and std per channel; null: measured).

    train_size: what the root's `train_size` is unless it is given.
    """

    name: str = MISSING
    source: Any = MISSING
    mean: list[float] | None = MISSING
    std: list[float] | None = MISSING
    test_size: Any = MISSING
    validation_size: Any = MISSING
    split_seed: int = MISSING
    train_size: int | None = MISSING


@dataclass(frozen=True)
class Augment:
    """Crop with padding, and flip: the finite family of views that training draws from."""

    padding: int = MISSING
    flip: bool = MISSING


@dataclass(frozen=True)
class Recipe:
    """How the networks of one role are trained."""

    epochs: int = MISSING
    batch_size: int = MISSING
    augment: Augment = field(default_factory=Augment)
    optimizer: Any = MISSING
    schedule: Any = MISSING


@dataclass(frozen=True)
class Train:
    """Recipes of teachers and of students; baselines and controls are trained as students are."""

    teacher: Recipe = field(default_factory=Recipe)
    student: Recipe = field(default_factory=Recipe)


@dataclass(frozen=True)
class Config:
    """Everything a command is told. conf/config.yaml says what each key means."""

    dataset: Dataset = field(default_factory=Dataset)
    teacher: Any = MISSING
    student: Any = MISSING
    knowledge: Any = field(default_factory=dict)
    control: Any = field(default_factory=dict)
    mode: Any = MISSING
    train: Train = field(default_factory=Train)
    executor: Any = MISSING
    tau: float = MISSING
    alpha: float = MISSING
    seeds: list[int] = MISSING
    teacher_seed: int = MISSING
    data_seed: int | None = MISSING
    train_size: int | None = MISSING
    teacher_train_size: int | None = MISSING
    device: str = MISSING
    precision: str = MISSING
    data_root: str = MISSING
    outputs: str = MISSING
    sweep: list[str] = MISSING


def check(config: Config) -> None:
    """Refuses values out of range.

    Raises UserError with the key, the range and the value.
    """
    if not (config.tau > 0 and math.isfinite(config.tau)):
        raise UserError(f"tau must be > 0, got {config.tau:g}")
    if not 0 <= config.alpha <= 1:
        raise UserError(f"alpha must be between 0 (labels only) and 1 (teacher only), got {config.alpha:g}")
    if not config.seeds:
        raise UserError("seeds is empty; give at least one, such as seeds=[0]")
    if len(set(config.seeds)) < len(config.seeds):
        raise UserError(f"seeds must differ from each other, got seeds={config.seeds}")
    if config.precision not in PRECISIONS:
        raise UserError(f"precision must be one of {', '.join(PRECISIONS)}, got {config.precision!r}")
    if not config.knowledge:
        raise UserError("knowledge is empty; choose at least one term, such as knowledge=response/kd")
    for name, term in config.knowledge.items():
        if not isinstance(term, dict) or "_target_" not in term:
            raise UserError(
                f"knowledge.{name} is no term with a _target_: begin its file with `# @package knowledge.NAME`"
            )
    for key, value in (("data_seed", config.data_seed), ("teacher_seed", config.teacher_seed)):
        _at_least(0, key, value)
    for seed in config.seeds:
        _at_least(0, "seeds", seed)
    for key, value in (("train_size", config.train_size), ("teacher_train_size", config.teacher_train_size)):
        _at_least(1, key, value)
    for role, recipe in (("teacher", config.train.teacher), ("student", config.train.student)):
        _at_least(1, f"train.{role}.epochs", recipe.epochs)
        _at_least(1, f"train.{role}.batch_size", recipe.batch_size)
        _at_least(0, f"train.{role}.augment.padding", recipe.augment.padding)


def _at_least(minimum: int, key: str, value: int | None) -> None:
    if value is not None and value < minimum:
        raise UserError(f"{key} must be at least {minimum}, got {value}")
