"""The combined loss: labels on one side, the teacher on the other. Formed here and nowhere else."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from kdrun.knowledge import Knowledge
from kdrun.knowledge.precision import in_float32
from kdrun.signals import UNLABELLED, Batch, Signals


class Term(NamedTuple):
    """A knowledge term with its weight (>= 0), reached linearly over `warmup_epochs` epochs (0: at once)."""

    knowledge: Knowledge
    weight: float
    warmup_epochs: int

    def weight_at(self, epoch: int) -> float:
        """The weight in an epoch, counted from 0: the first of n warm-up epochs has weight / n."""
        return self.weight * min(1.0, (epoch + 1) / self.warmup_epochs) if self.warmup_epochs else self.weight


_cross_entropy = in_float32(functional.cross_entropy)


def combined(
    student: Signals, teacher: Signals, batch: Batch, *, terms: Mapping[str, Term], alpha: float
) -> tuple[Tensor, ...]:
    """The loss of a batch and its parts.

        L = (1 - alpha) * CE(labels, student) + alpha * sum_k weight_k * L_k

    The side whose factor is 0 is not computed at all: alpha = 0 is plain cross-entropy, and alpha = 1 never
    looks at a label. CE is the mean over the examples of the batch that have a label, and 0 where none has.

    student: logits (B, K) and the features that the terms read.
    teacher: the same of the teacher.
    alpha: in [0, 1], the weight of the teacher's side.
    Returns scalars (): L, then CE (alpha < 1), then each L_k in the order of `terms` (alpha > 0).
    """
    sides: list[Tensor] = []
    parts: list[Tensor] = []
    if alpha < 1:
        ce = _label_loss(student, batch)
        parts.append(ce)
        sides.append(ce if alpha == 0 else (1 - alpha) * ce)
    if alpha > 0:
        values = [term.knowledge(student, teacher, batch) for term in terms.values()]
        weights = [alpha * term.weight_at(batch.epoch) for term in terms.values()]
        parts += values
        sides += [weight * value for weight, value in zip(weights, values, strict=True)]
    total = sides[0]
    for side in sides[1:]:
        total = total + side
    return total, *parts


def _label_loss(student: Signals, batch: Batch) -> Tensor:
    ce: Tensor = _cross_entropy(student.logits, batch.labels, ignore_index=UNLABELLED)
    if batch.all_labelled:
        return ce
    return torch.where((batch.labels != UNLABELLED).any(), ce, torch.zeros_like(ce))  # 0 / 0 otherwise


def part_names(terms: Mapping[str, Term], alpha: float) -> tuple[str, ...]:
    """Names of what `combined` returns, in its order."""
    return ("loss", *(["ce"] if alpha < 1 else []), *(terms if alpha > 0 else []))
