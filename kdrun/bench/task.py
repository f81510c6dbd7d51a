"""What every loop of the bench trains on and for: plain values taken from a run's spec, and fresh networks."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from kdrun.data.split import Part
from kdrun.errors import UserError
from kdrun.experiment.lab import Lab
from kdrun.experiment.running import finished_network, mode_of
from kdrun.runs.spec import RunSpec


@dataclass(frozen=True)
class Task:
    """A distillation by labels and softened logits.

    part: the training examples on the device. mean, std: of each channel, where white is 1.
    recipe: as composed. precision: as the run's. tau: temperature, > 0.
    label_weight, teacher_weight: L = label_weight * CE + teacher_weight * tau^2 * KL.
    student: as it is before training. teacher: None where nobody teaches.
    """

    part: Part
    mean: tuple[float, ...]
    std: tuple[float, ...]
    recipe: Mapping[str, Any]
    precision: str
    tau: float
    label_weight: float
    teacher_weight: float
    student: nn.Module
    teacher: nn.Module | None

    @property
    def images(self) -> Tensor:
        """(N, C, H, W) uint8 on the device."""
        if not isinstance(self.part.images, Tensor):
            raise UserError(
                "the bench's loops want all images in memory; try a larger data_memory_share or smaller data"
            )
        return self.part.images

    @property
    def device(self) -> torch.device:
        return self.part.labels.device

    @property
    def batch_size(self) -> int:
        return min(int(self.recipe["batch_size"]), len(self.part))

    @property
    def steps_per_epoch(self) -> int:
        return len(self.part) // self.batch_size

    @property
    def steps(self) -> int:
        """Of the whole run."""
        return int(self.recipe["epochs"]) * self.steps_per_epoch

    def networks(self, memory_format: torch.memory_format) -> tuple[nn.Module, nn.Module | None]:
        """Copies of student and teacher to train with."""
        student = deepcopy(self.student).to(memory_format=memory_format).train()
        if self.teacher is None:
            return student, None
        return student, deepcopy(self.teacher).to(memory_format=memory_format).eval().requires_grad_(False)


def task_of(spec: RunSpec, tau: float, lab: Lab) -> Task:
    """The task of a run whose parents are finished; knowledge other than softened logits is left out."""
    data = lab.data(spec.dataset)
    kd, alpha = spec.terms.get("kd", {}), spec.alpha or 0.0
    return Task(
        part=data.training_part(spec),
        mean=data.normalise.mean,
        std=data.normalise.std,
        recipe=spec.recipe,
        precision=spec.precision,
        tau=tau,
        label_weight=spec.last_label_weight,
        teacher_weight=alpha * float(kd.get("weight", 1.0)),
        student=mode_of(spec, lab).student.to(lab.device),
        # As it was trained, whatever kdrun makes of it to have it teach.
        teacher=None if spec.teacher is None else finished_network(spec.teacher, lab),
    )


def is_whole(spec: RunSpec) -> bool:
    """Whether the task holds all that a run computes: labels, and a teacher's softened logits at full weight."""
    by_epoch = spec.schedules or any(term.get("warmup_epochs") for term in spec.terms.values())
    by_itself = spec.terms and spec.teacher is None
    return set(spec.terms) <= {"kd"} and not by_epoch and not by_itself
