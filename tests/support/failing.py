"""Networks, a loss and a schedule of a user's that fail in a given way: `_target_: failing.Network` (see conf)."""

from __future__ import annotations

from typing import Any
from weakref import WeakSet

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR

from kdrun.models.mlp import Mlp
from kdrun.seeding import mix
from kdrun.signals import Batch, Pair, Signals

VALIDATION, TEST = 40, 80  # examples of the toy data
STEPS = 5  # an epoch, of train=toy
ROOM = 3  # networks of the kind `memory` that may be in training at once
_TRAINING: WeakSet[nn.Module] = WeakSet()


class Network(Mlp):
    """A perceptron that fails.

    fails: never; build, or build_1 for seed 1 alone; step: at its eighth step; validation, test: as it is evaluated;
        overflow: its outputs on the validation part are nan; memory: where more than ROOM of its kind are in training;
        alone: there is no memory even for one; device: CUDA's assertion at its second step;
        teaching, nan_teaching: as others ask it.
    """

    def __init__(self, *, fails: str, **given: Any) -> None:
        super().__init__(**given)
        self.fails, self.steps = fails, 0
        self.noisy = fails != "never"  # not computed as one with others
        on_meta = self.classifier.weight.is_meta
        if not on_meta and (fails == "build" or (fails == "build_1" and torch.initial_seed() == mix(1, 1))):
            raise RuntimeError("no such width")

    def forward(self, images: Tensor) -> Tensor:
        logits = super().forward(images)
        if images.is_meta:
            return logits
        return self._trained(logits) if self.training else self._evaluated(logits)

    def _trained(self, logits: Tensor) -> Tensor:
        self.steps += 1
        if self.fails == "step" and self.steps == 8:
            raise ValueError("bad width")
        if self.fails == "device" and self.steps == 2:
            raise torch.AcceleratorError("CUDA error: device-side assert triggered")
        if self.fails == "memory":
            _TRAINING.add(self)
        if self.fails == "alone" or len(_TRAINING) > ROOM:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB.")
        return logits

    def _evaluated(self, logits: Tensor) -> Tensor:
        taught = not self.classifier.weight.requires_grad
        if (self.fails, len(logits)) in (("validation", VALIDATION), ("test", TEST)):
            raise ValueError("bad pixels")
        if taught and self.fails == "teaching":
            raise ValueError("nothing to say")
        if (taught and self.fails == "nan_teaching") or (self.fails == "overflow" and len(logits) == VALIDATION):
            return logits * torch.nan
        return logits


class Loss(nn.Module):
    """Mean squared difference of the logits; it fails at the `at`-th batch of training (0: never).

    how: raise; or nan, that is its value.
    """

    student_layers: tuple[str, ...] = ()
    teacher_layers: tuple[str, ...] = ()

    def __init__(self, pair: Pair, *, at: int, how: str) -> None:
        super().__init__()
        self.at, self.how = at, how

    def forward(self, student: Signals, teacher: Signals, batch: Batch) -> Tensor:
        value = (student.logits - teacher.logits.detach()).square().mean()
        if student.logits.is_meta:
            return value
        if batch.epoch * STEPS + batch.step + 1 != self.at:
            return value
        if self.how == "raise":
            raise ValueError("bad loss")
        return value * torch.nan


def explodes(optimizer: Optimizer, *, epochs: int, steps_per_epoch: int, at: int) -> LambdaLR:
    """The optimiser's rate, and 1e42 times it at a step of training (from 0; -1: never)."""
    return LambdaLR(optimizer, lambda step: 1e42 if step == at else 1.0)
