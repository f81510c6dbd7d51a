"""The bare loop: what is left of distillation when everything that kdrun adds is taken away."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import nullcontext
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from kdrun.bench import Stop
from kdrun.bench.task import Task
from kdrun.experiment.build import update_of

_AUTOCAST = {"fp32": None, "bf16": torch.bfloat16, "fp16": torch.float16}


class Draw(NamedTuple):
    """The order of an epoch, and for each example in it where the crop begins and whether it is mirrored; all (N,)."""

    order: Tensor
    down: Tensor
    right: Tensor
    mirrored: Tensor


Draws = Callable[[int], Draw]  # of an epoch


def random_draws(task: Task) -> Draws:
    """Draws of torch's own generator, on the device."""
    count, reach, device = len(task.part), 2 * task.recipe["augment"]["padding"] + 1, task.device

    def draw(_epoch: int) -> Draw:
        down, right = torch.randint(reach, (2, count), device=device)
        return Draw(torch.randperm(count, device=device), down, right, torch.rand(count, device=device) < 0.5)

    return draw


def bare_loop(task: Task, stop: Stop) -> None:
    """Trains a copy of the task's student."""
    train_bare(*task.networks(torch.channels_last), task, random_draws(task), stop)


def train_bare(student: nn.Module, teacher: nn.Module | None, task: Task, draws: Draws, stop: Stop) -> None:
    """Trains a student: resident data, one live teacher pass and one update a step.

    student: in training mode; teacher: in evaluation mode; both in channels_last.
    """
    batches, device = _resident(task), task.device
    optimizer, schedule = update_of(task.recipe, list(student.parameters()), task.steps_per_epoch)
    scaler = torch.amp.GradScaler(device.type, enabled=task.precision == "fp16")
    dtype = _AUTOCAST[task.precision]
    precision = nullcontext() if dtype is None else torch.autocast(device.type, dtype=dtype)
    for epoch in range(task.recipe["epochs"]):
        total = torch.zeros((), device=device)
        for inputs, labels in batches(draws(epoch)):
            with precision:
                with torch.no_grad():
                    taught = None if teacher is None else teacher(inputs)
                logits = student(inputs)
            loss = _loss(logits, taught, labels, task)
            optimizer.zero_grad(set_to_none=True)
            scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
            scaler.step(optimizer)
            scaler.update()
            schedule.step()
            total += loss.detach()
            if stop():
                return
        total.item()  # an epoch's mean loss would be logged here


def _resident(task: Task) -> Callable[[Draw], Iterator[tuple[Tensor, Tensor]]]:
    """Batches cut out of tensors on the device, augmented as a whole."""
    part, size, augment = task.part, task.batch_size, task.recipe["augment"]
    images = task.images.contiguous(memory_format=torch.channels_last)
    mean, std = (255 * torch.tensor(one, device=task.device)[:, None, None] for one in (task.mean, task.std))

    def batches(draw: Draw) -> Iterator[tuple[Tensor, Tensor]]:
        for begin in range(0, task.steps_per_epoch * size, size):
            rows = slice(begin, begin + size)
            chosen = images[draw.order[rows]]
            if augment["padding"]:
                chosen = _cropped(chosen, draw.down[rows], draw.right[rows], augment["padding"])
            if augment["flip"]:
                chosen = torch.where(draw.mirrored[rows, None, None, None], chosen.flip(3), chosen)
            yield chosen.float().sub_(mean).div_(std), part.labels[draw.order[rows]]

    return batches


def _cropped(images: Tensor, down: Tensor, right: Tensor, padding: int) -> Tensor:
    height, width = images.shape[2:]
    windows = F.pad(images, (padding,) * 4).unfold(2, height, 1).unfold(3, width, 1)
    cropped: Tensor = windows[torch.arange(len(images), device=images.device), :, down, right]
    return cropped


def _loss(logits: Tensor, taught: Tensor | None, labels: Tensor, task: Task) -> Tensor:
    logits = logits.float()
    if taught is None:
        return F.cross_entropy(logits, labels)
    soft = F.kl_div(
        F.log_softmax(logits / task.tau, dim=1),
        F.log_softmax(taught.float() / task.tau, dim=1),
        reduction="batchmean",
        log_target=True,
    )
    loss = task.teacher_weight * task.tau**2 * soft
    return loss + task.label_weight * F.cross_entropy(logits, labels) if task.label_weight else loss
