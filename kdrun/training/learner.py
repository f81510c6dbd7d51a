"""One run in training: its networks and loss, its optimiser and schedule, and the state that resumes it exactly."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from kdrun.models import Constrained
from kdrun.modes import Mode
from kdrun.seeding import mix
from kdrun.signals import Batch, Signals
from kdrun.training.precision import autocast, grad_scaler, seed_device


class Position(NamedTuple):
    """Where training stands: `step` steps of epoch `epoch` are done (both from 0)."""

    epoch: int
    step: int


class Update(NamedTuple):
    """An optimiser and its learning-rate schedule, which steps once an update."""

    optimizer: Optimizer
    schedule: LRScheduler


class Learner:
    """Takes optimiser steps for one run.

    updates: of the network, then of what is trained beside it, where there is anything. They are apart so that adapters
        cannot change the network's update (by an optimiser that looks at all its gradients, or by one that overflows).
    copies: whether it gets copies of inputs and of the teacher's outputs, because code that may change them in place (a
        user's) is called with them; others that train beside it see the same tensors.

    Noise inside the networks (dropout) is a pure function of (seed, epoch, step), so learners that train side
    by side do not disturb each other, and no generator needs to be kept.
    """

    def __init__(
        self,
        mode: Mode,
        updates: Sequence[Update],
        *,
        seed: int,
        steps_per_epoch: int,
        device: torch.device,
        precision: str,
        copies: bool = False,
    ) -> None:
        self.mode = mode
        self._updates = tuple(updates)
        self._seed = seed
        self._device = device
        self._copies = copies
        self.autocast = autocast(device, precision)
        self._scaler = grad_scaler(device, precision)
        # (steps, parts): stays on the device, so that a step never waits for it
        self._losses = torch.zeros(steps_per_epoch, len(mode.part_names), device=device)

    def step(self, batch: Batch, teacher: Signals | None, position: Position) -> None:
        """One update of everything the mode trains."""
        self.seed_noise(position)
        if self._copies:
            batch = batch._replace(inputs=_copied(batch.inputs))
        with self.autocast:
            losses = self.mode.losses(batch, self.heard(teacher))
        self.scaled(losses).backward()  # type: ignore[no-untyped-call]
        self.update(losses, position)

    def seed_noise(self, position: Position) -> None:
        """Brings the generators to where this run's step begins."""
        seed_device(self._device, mix(self._seed, *position))

    def heard(self, teacher: Signals | None) -> Signals | None:
        """A mode that asks no teacher hears none, whoever asks beside it."""
        if self.mode.teacher_layers is None or teacher is None:
            return None
        if not self._copies:
            return teacher
        return Signals(teacher.logits.clone(), {name: value.clone() for name, value in teacher.features.items()})

    def scaled(self, losses: tuple[Tensor, ...]) -> Tensor:
        """What is followed back: the loss, under fp16 scaled, so that small gradients are not lost to its range."""
        loss: Tensor = self._scaler.scale(losses[0])
        return loss

    def update(self, losses: tuple[Tensor, ...], position: Position) -> None:
        """The step's update by the gradients that are there, which are dropped. losses: the parts, for the record."""
        for optimizer, _ in self._updates:
            self._scaler.step(optimizer)  # a fused optimiser is not waited for
        self._scaler.update()
        for optimizer, schedule in self._updates:
            optimizer.zero_grad(set_to_none=True)
            schedule.step()
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
        return float(self._updates[0].optimizer.param_groups[0]["lr"])

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
            "optimizers": [one.optimizer.state_dict() for one in self._updates],
            "schedules": [one.schedule.state_dict() for one in self._updates],
            "scaler": self._scaler.state_dict(),
            "losses": self._losses,
        }

    def load_state(self, state: dict[str, Any]) -> None:
        """Goes on from a state of the same run."""
        self.mode.trained.load_state_dict(state["trained"])
        for one, optimizer, schedule in zip(self._updates, state["optimizers"], state["schedules"], strict=True):
            one.optimizer.load_state_dict(optimizer)
            one.schedule.load_state_dict(schedule)
        self._scaler.load_state_dict(state["scaler"])
        self._losses.copy_(state["losses"])


def _copied(inputs: Tensor | dict[str, Tensor]) -> Tensor | dict[str, Tensor]:
    return inputs.clone() if isinstance(inputs, Tensor) else {name: value.clone() for name, value in inputs.items()}


def parameter_sets(mode: Mode) -> list[list[Tensor]]:
    """The trained parameters of a mode's network, and those beside it where there are any (adapters, heads)."""
    own: list[Tensor] = list(mode.network.parameters())
    known = set(map(id, own))
    beside: list[Tensor] = [one for one in mode.trained.parameters() if id(one) not in known]
    return [own, beside] if beside else [own]


def constrain_after_steps(optimizer: Optimizer, network: nn.Module) -> None:
    """Has every module with a constraint on its weights (max-norm) re-impose it after every update."""
    constrained = [module for module in network.modules() if isinstance(module, Constrained)]

    def constrain(*_args: object) -> None:
        for module in constrained:
            module.constrain()

    if constrained:
        optimizer.register_step_post_hook(constrain)
