"""The peer loop: distillation as the field's public repositories write it, from PIL images through a DataLoader.

Taken from them are facts, not text: a data set of PIL images that are cropped, mirrored, made tensors and normalised
one by one; float32 in the contiguous format; a loop over batches that reads loss and accuracy back at every step.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader

from kdrun.bench import Stop
from kdrun.bench.task import Task
from kdrun.experiment.build import update_of


class PilImages:
    """Examples as torchvision's data sets give them: a PIL image, transformed, and its class."""

    def __init__(self, task: Task, transform: Callable[[Image.Image], Tensor]) -> None:
        pixels = task.images.cpu().permute(0, 2, 3, 1)
        self._pixels = (pixels.squeeze(3) if pixels.shape[3] == 1 else pixels).numpy()
        self._labels: list[int] = task.part.labels.tolist()
        self._transform = transform

    def __len__(self) -> int:
        return len(self._labels)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        return self._transform(Image.fromarray(self._pixels[index])), self._labels[index]


def pil_images(task: Task) -> PilImages:
    """The task's examples under the per-image transforms that its recipe amounts to."""
    from torchvision import transforms

    augment = task.recipe["augment"]
    size = task.images.shape[2:]
    chain = [transforms.RandomCrop(size, padding=augment["padding"])] if augment["padding"] else []
    chain += [transforms.RandomHorizontalFlip()] if augment["flip"] else []
    chain += [transforms.ToTensor(), transforms.Normalize(task.mean, task.std)]
    return PilImages(task, transforms.Compose(chain))


def plain_recipe(task: Task) -> Mapping[str, Any]:
    """The recipe with its optimiser as one writes it without further thought: not fused."""
    optimizer = {key: value for key, value in task.recipe["optimizer"].items() if key != "fused"}
    return {**task.recipe, "optimizer": optimizer}


def peer_loop(task: Task, stop: Stop, *, workers: int) -> None:
    """Trains a copy of the task's student in float32. workers: processes of the DataLoader; 0: in this process."""
    student, teacher = task.networks(torch.contiguous_format)
    optimizer, schedule = update_of(plain_recipe(task), list(student.parameters()), task.steps_per_epoch)
    images: Any = pil_images(task)
    loader = DataLoader(images, batch_size=task.batch_size, shuffle=True, num_workers=workers, drop_last=True)
    losses, accuracies = Average(), Average()
    for _epoch in range(task.recipe["epochs"]):
        for inputs, labels in loader:
            inputs, labels = inputs.to(task.device), labels.to(task.device)
            logits = student(inputs)
            loss = _loss(logits, inputs, labels, teacher, task)
            losses.update(loss.item(), len(inputs))
            accuracies.update(_top1(logits, labels).item(), len(inputs))
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            schedule.step()
            if stop():
                return


def _loss(logits: Tensor, inputs: Tensor, labels: Tensor, teacher: nn.Module | None, task: Task) -> Tensor:
    hard = F.cross_entropy(logits, labels)
    if teacher is None:
        return hard
    with torch.no_grad():
        taught = teacher(inputs)
    tau = task.tau
    soft = F.kl_div(F.log_softmax(logits / tau, dim=1), F.softmax(taught / tau, dim=1), reduction="batchmean")
    return task.label_weight * hard + task.teacher_weight * tau**2 * soft


def _top1(logits: Tensor, labels: Tensor) -> Tensor:
    with torch.no_grad():
        _, predicted = logits.topk(min(5, logits.shape[1]), dim=1)
        right = predicted.t().eq(labels.view(1, -1).expand_as(predicted.t()))
        return right[:1].reshape(-1).float().sum() * (100 / len(labels))


class Average:
    """A running mean, as such loops keep one."""

    def __init__(self) -> None:
        self.sum, self.count = 0.0, 0

    def update(self, value: float, count: int) -> None:
        self.sum += value * count
        self.count += count
