"""One run in training: its networks and loss, its optimiser and schedule, and the state that resumes it exactly."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from kdrun.models import Constrained
from kdrun.modes import Mode
from kdrun.seeding import mix
from kdrun.signals import Batch, Signals
from kdrun.training.precision import autocast, seed_device


class Position(NamedTuple):
    """Where training stands: `step` steps of epoch `epoch` are done (both from 0)."""

    epoch: int
    step: int


class Learner:
    """Takes optimiser steps for one run.

    Noise inside the networks (dropout) is a pure function of (seed, epoch, step), so learners that train side
    by side do not disturb each other, and no generator needs to be kept.
    """

    def __init__(
        self,
        mode: Mode,
        optimizer: Optimizer,
        schedule: LRScheduler,
        *,
        seed: int,
        steps_per_epoch: int,
        device: torch.device,
        precision: str,
    ) -> None:
        self.mode = mode
        self._optimizer = optimizer
        self._schedule = schedule
        self._seed = seed
        self._device = device
        self.autocast = autocast(device, precision)
        # (steps, parts): stays on the device, so that a step never waits for it
        self._losses = torch.zeros(steps_per_epoch, len(mode.part_names), device=device)

    def step(self, batch: Batch, teacher: Signals | None, position: Position) -> None:
        """One update of everything the mode trains."""
        self.seed_noise(position)
        with self.autocast:
            losses = self.mode.losses(batch, self.heard(teacher))
        losses[0].backward()  # type: ignore[no-untyped-call]
        self.update(losses, position)

    def seed_noise(self, position: Position) -> None:
        """Brings the generators to where this run's step begins."""
        seed_device(self._device, mix(self._seed, *position))

    def heard(self, teacher: Signals | None) -> Signals | None:
        """A mode that asks no teacher hears none, whoever asks beside it."""
        return None if self.mode.teacher_layers is None else teacher

    def update(self, losses: tuple[Tensor, ...], position: Position) -> None:
        """The step's update by the gradients that are there, which are dropped. losses: the parts, for the record."""
        self._optimizer.step()
        self._optimizer.zero_grad(set_to_none=True)
        self._schedule.step()
        torch.stack([part.detach() for part in losses], out=self._losses[position.step])

    @property
    def learners(self) -> tuple[Learner, ...]:
        """Itself: to the loop, a learner is a group of one."""
        return (self,)

    def without(self, lost: Collection[Learner]) -> tuple[Learner, ...]:
        """What goes on when those that are lost stop."""
        return () if self in lost else (self,)

    @property
    def network(self) -> nn.Module:
        """The network that is evaluated and kept."""
        return self.mode.student

    @property
    def learning_rate(self) -> float:
        return float(self._optimizer.param_groups[0]["lr"])

    def epoch_losses(self) -> dict[str, float]:
        """Means over the epoch's steps of every part of the loss; the device is waited for here."""
        means: list[float] = self._losses.double().mean(dim=0).tolist()
        return {f"train_{name}": mean for name, mean in zip(self.mode.part_names, means, strict=True)}

    def first_bad_step(self) -> int | None:
        """The first step of this epoch whose loss is not finite, or None."""
        bad: list[int] = (~self._losses[:, 0].isfinite()).nonzero().flatten().tolist()
        return bad[0] if bad else None

    def train_mode(self) -> None:
        self.mode.trained.train()

    def state(self) -> dict[str, Any]:
        """All that changes in training, on the CPU, as plain types and tensors."""
        return {
            # Copied: a file of a part of a larger tensor, as a stack's learners have them, would hold the whole.
            "trained": {name: value.clone() for name, value in self.mode.trained.state_dict().items()},
            "optimizer": self._optimizer.state_dict(),
            "schedule": self._schedule.state_dict(),
            "losses": self._losses,
        }

    def load_state(self, state: dict[str, Any]) -> None:
        """Goes on from a state of the same run."""
        self.mode.trained.load_state_dict(state["trained"])
        self._optimizer.load_state_dict(state["optimizer"])
        self._schedule.load_state_dict(state["schedule"])
        self._losses.copy_(state["losses"])


def constrain_after_steps(optimizer: Optimizer, trained: nn.Module) -> None:
    """Has every module with a constraint on its weights (max-norm) re-impose it after every update."""
    constrained = [module for module in trained.modules() if isinstance(module, Constrained)]

    def constrain(*_args: object) -> None:
        for module in constrained:
            module.constrain()

    if constrained:
        optimizer.register_step_post_hook(constrain)
