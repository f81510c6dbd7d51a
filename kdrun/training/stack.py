"""Learners whose networks have one architecture, computed as one."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import Parameter

from kdrun.models import Stackable
from kdrun.modes import OneStudent
from kdrun.signals import Batch, Signals
from kdrun.training.learner import Learner, Position


class Member(NamedTuple):
    """A learner that can be stacked: all that its loss needs of its one student are logits."""

    learner: Learner
    mode: OneStudent
    network: Stackable
    parameters: tuple[Parameter, ...]


def member(learner: Learner) -> Member | None:
    """The learner as a member of stacks; None where it has to take its steps by itself.

    That is so with features read, with dropout, and with networks and modes that cannot be computed apart.
    """
    mode = learner.mode
    if not isinstance(mode, OneStudent) or mode.student_layers:
        return None
    network = mode.network
    if not isinstance(network, Stackable) or network.noisy:
        return None
    return Member(learner, mode, network, tuple(network.parameters()))


class Stack:
    """Steps learners together: one forward and one backward pass for the networks of all.

    Their parameters become parts of tensors (K, ...) and stay where they are, in networks and optimisers. So each
    learner forms its own loss, of its part of the logits, takes its own update, and is evaluated, saved and resumed
    as if it were alone. The products are those of single networks to rounding; on one thread of a CPU, with batches of
    whole fours and layers that are not very narrow, bit for bit (torch 2.15 with MKL).

    members: at least one, of networks of one architecture, on one device, in one precision.
    """

    def __init__(self, members: Sequence[Member]) -> None:
        self._members = tuple(members)
        self._alike = list(zip(*(one.parameters for one in members), strict=True))
        self._stacked = [_joined(alike) for alike in self._alike]

    @property
    def learners(self) -> tuple[Learner, ...]:
        return tuple(one.learner for one in self._members)

    def step(self, batch: Batch, teacher: Signals | None, position: Position) -> None:
        """One update of each learner."""
        losses = self._losses(batch, teacher, position)
        followed = [one.learner.scaled(parts) for one, parts in zip(self._members, losses, strict=True)]
        torch.autograd.backward(followed)  # none is in the graph of another
        self._hand_out_gradients()
        for one, parts in zip(self._members, losses, strict=True):
            one.learner.update(parts, position)

    def without(self, lost: Collection[Learner]) -> tuple[Stack, ...]:
        """What goes on when those that are lost stop: a smaller stack."""
        if not any(learner in lost for learner in self.learners):
            return (self,)
        for alike in self._alike:
            for parameter in alike:
                parameter.data = parameter.data.clone()  # else the one that is lost holds the room of all
        left = [one for one in self._members if one.learner not in lost]
        return (Stack(left),) if left else ()

    def _losses(self, batch: Batch, teacher: Signals | None, position: Position) -> list[tuple[Tensor, ...]]:
        first = self._members[0]
        losses = []
        with first.learner.autocast:
            logits = first.network.stacked(batch.inputs, self._stacked).unbind()
            for (learner, mode, *_), own in zip(self._members, logits, strict=True):
                learner.seed_noise(position)  # a term may draw
                losses.append(mode.losses_of(Signals(own), batch, learner.heard(teacher)))
        return losses

    def _hand_out_gradients(self) -> None:
        for stacked, alike in zip(self._stacked, self._alike, strict=True):
            if stacked.grad is not None:
                for parameter, gradient in zip(alike, stacked.grad.unbind(), strict=True):
                    parameter.grad = gradient
                stacked.grad = None


def _joined(alike: Sequence[Parameter]) -> Tensor:
    """Parameters of one shape as a leaf (K, *shape), of which each of them becomes a part."""
    stacked = torch.stack([one.detach() for one in alike])
    for one, part in zip(alike, stacked.unbind(), strict=True):
        one.data = part
    return stacked.requires_grad_()
