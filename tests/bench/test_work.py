"""How much arithmetic a step is."""

from __future__ import annotations

from collections.abc import Callable

import torch

from kdrun.bench.task import task_of
from kdrun.bench.work import measured_peak, step_flops
from kdrun.experiment.lab import Lab
from kdrun.runs.spec import RunSpec


def test_a_step_is_the_teachers_pass_and_three_of_the_students(
    students: Callable[..., list[RunSpec]], lab: Lab
) -> None:
    (spec,) = students("teacher=mlp64")
    student = 2 * (36 * 30 + 30 * 30 + 30 * 4)
    teacher = 2 * (36 * 64 + 64 * 64 + 64 * 4)
    task = task_of(spec, 4.0, lab)
    assert step_flops(task, asked=True) == 20 * (teacher + 3 * student)
    assert step_flops(task, asked=False) == 20 * 3 * student


def test_the_peak_is_measured() -> None:
    assert 1e8 < measured_peak(torch.device("cpu"), "fp32") < 1e14
