"""The frozen schema that every composed configuration must fit. Numbers live in conf/, ranges in checks.py."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, is_dataclass
from typing import Any, get_type_hints

from omegaconf import MISSING

# What `teacher` says beside its architecture: how many networks it is, of seeds that follow each other, and which mean
# of their softened probabilities they give; and how many specialists advise it on classes that it confuses.
CROWD: Mapping[str, Any] = {"members": 1, "mean": "arithmetic", "specialists": 0}
MEANS = ("arithmetic", "geometric")


@dataclass(frozen=True)
class Dataset:
    """One data set: its source, split and normalisation (mean and std per channel; null: measured).

    train_size: what the root's `train_size` is unless it is given.
    omit: classes, by name or index, that students, baselines and controls are not shown; the teacher is.
    """

    name: str = MISSING
    source: Any = MISSING
    mean: list[float] | None = MISSING
    std: list[float] | None = MISSING
    test_size: Any = MISSING
    validation_size: Any = MISSING
    split_seed: int = MISSING
    train_size: int | None = MISSING
    omit: list[Any] = field(default_factory=list)


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
class Cache:
    """What a teacher said, kept on the disk: in which way, rounded to which type, at most how much of it."""

    kind: str = MISSING
    dtype: str = MISSING
    max_bytes: int = MISSING


@dataclass(frozen=True)
class Config:
    """Everything a command is told. conf/config.yaml says what each key means."""

    dataset: Dataset = field(default_factory=Dataset)
    teacher: Any = MISSING
    teachers: list[Any] = MISSING
    student: Any = MISSING
    knowledge: Any = field(default_factory=dict)
    controls: Any = field(default_factory=dict)
    mode: Any = MISSING
    alpha_schedule: Any = field(default_factory=dict)
    tau_schedule: Any = field(default_factory=dict)
    train: Train = field(default_factory=Train)
    executor: Any = MISSING
    cache: Cache = field(default_factory=Cache)
    tracker: Any = MISSING
    tau: float = MISSING
    alpha: float = MISSING
    label_weight: float | None = MISSING
    seeds: list[int] = MISSING
    teacher_seed: int = MISSING
    data_seed: int | None = MISSING
    train_size: int | None = MISSING
    transfer: str = MISSING
    teacher_train_size: int | None = MISSING
    device: str = MISSING
    data_memory_share: float = MISSING
    loader_workers: int | None = MISSING
    precision: str = MISSING
    compile: bool = MISSING
    cuda_graphs: bool = MISSING
    data_root: str = MISSING
    outputs: str = MISSING
    sweep: list[str] = MISSING


def is_typed(key: str) -> bool:
    """Whether the schema says what a dotted key may be; what the others may be, only their file shows."""
    kind: Any = Config
    for part in key.split("."):
        kind = get_type_hints(kind).get(part, Any) if is_dataclass(kind) else Any
    return kind is not Any
