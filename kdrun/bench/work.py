"""How much arithmetic a step is, and how much of what the device can do it gets."""

from __future__ import annotations

import torch

from kdrun.bench.task import Task
from kdrun.bench.watch import now
from kdrun.metrics.cost import flops

_SIDES = {"cpu": 1024, "cuda": 8192}  # of the square matrices whose product is timed
_DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
_PRODUCTS = 10
_BACKWARD = 2  # a backward pass is about two forward passes


def step_flops(task: Task, *, asked: bool) -> int:
    """Floating-point operations of a step: the student's forward pass and back, and the teacher's where it is asked."""
    image = torch.empty(1, *task.images.shape[1:], device=task.device)
    taught = flops(task.teacher, image) if asked and task.teacher is not None else 0
    return task.batch_size * (taught + (1 + _BACKWARD) * flops(task.student, image))


def measured_peak(device: torch.device, precision: str) -> float:
    """Floating-point operations a second in the product of two large square matrices, the best of several."""
    side = _SIDES.get(device.type, _SIDES["cuda"])
    one, other = torch.randn(2, side, side, device=device, dtype=_DTYPES[precision])
    seconds = []
    for _ in range(_PRODUCTS):
        begin = now(device)
        one @ other
        seconds.append(now(device) - begin)
    return 2 * side**3 / min(seconds)
