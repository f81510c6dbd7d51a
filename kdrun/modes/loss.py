"""The combined loss: labels on one side, the teacher on the other. Formed here and nowhere else."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from kdrun.errors import UserError
from kdrun.knowledge import Knowledge, Tempered
from kdrun.knowledge.precision import in_float32
from kdrun.modes.courses import Course
from kdrun.signals import UNLABELLED, Batch, Signals

Alpha = float | Course  # the same in every epoch, or not


class Term(NamedTuple):
    """A knowledge term with its weight (>= 0), reached linearly over `warmup_epochs` epochs (0: at once).

    tau: its temperature over the epochs; None where it is the term's own throughout, or it has none.
    """

    knowledge: Knowledge
    weight: float
    warmup_epochs: int
    tau: Course | None = None

    def weight_at(self, epoch: int) -> float:
        """The weight in an epoch, counted from 0: the first of n warm-up epochs has weight / n."""
        return self.weight * min(1.0, (epoch + 1) / self.warmup_epochs) if self.warmup_epochs else self.weight

    def value(self, student: Signals, teacher: Signals, batch: Batch) -> Tensor:
        """L_k, a scalar (), at the temperature of the batch's epoch."""
        if self.tau is not None and isinstance(self.knowledge, Tempered):
            self.knowledge.tau = self.tau.at(batch.epoch)
        return self.knowledge(student, teacher, batch)


_cross_entropy = in_float32(functional.cross_entropy)


def combined(
    student: Signals, teacher: Signals, batch: Batch, *, terms: Mapping[str, Term], alpha: Alpha
) -> tuple[Tensor, ...]:
    """The loss of a batch and its parts.

        L = (1 - alpha) * CE(labels, student) + alpha * sum_k weight_k * L_k

    The side whose factor is 0 is not computed at all: alpha = 0 is plain cross-entropy, and alpha = 1 never
    looks at a label. Where alpha changes over the epochs, both are, in every epoch. CE is the mean over the examples of
    the batch that have a label, and 0 where none has.

    student: logits (B, K) and the features that the terms read.
    teacher: the same of the teacher.
    alpha: in [0, 1], the weight of the teacher's side.
    Returns scalars (): L, then the `sides` that are computed: CE, and each L_k in the order of `terms`.
    """
    by_labels, by_teacher = sides(alpha)
    now = alpha if isinstance(alpha, int | float) else alpha.at(batch.epoch)
    summands: list[Tensor] = []
    parts: list[Tensor] = []
    if by_labels:
        ce = _label_loss(student, batch)
        parts.append(ce)
        summands.append(ce if now == 0 else (1 - now) * ce)
    if by_teacher:
        values = [term.value(student, teacher, batch) for term in terms.values()]
        weights = [now * term.weight_at(batch.epoch) for term in terms.values()]
        parts += values
        summands += [weight * value for weight, value in zip(weights, values, strict=True)]
    total = summands[0]
    for summand in summands[1:]:
        total = total + summand
    return total, *parts


def _label_loss(student: Signals, batch: Batch) -> Tensor:
    ce: Tensor = _cross_entropy(student.logits, batch.labels, ignore_index=UNLABELLED)
    if batch.all_labelled:
        return ce
    return torch.where((batch.labels != UNLABELLED).any(), ce, torch.zeros_like(ce))  # 0 / 0 otherwise


def sides(alpha: Alpha) -> tuple[bool, bool]:
    """Whether the labels' side is computed, and whether the teacher's is: the same in every epoch."""
    return (alpha < 1, alpha > 0) if isinstance(alpha, int | float) else (True, True)


def part_names(terms: Mapping[str, Term], alpha: Alpha) -> tuple[str, ...]:
    """Names of what `combined` returns, in its order."""
    by_labels, by_teacher = sides(alpha)
    return ("loss", *(["ce"] if by_labels else []), *(terms if by_teacher else []))


def check_reads_logits(terms: Mapping[str, Term], because: str) -> None:
    """Raises UserError for a term that reads features. because: why there are logits alone, as a clause."""
    for name, term in terms.items():
        if term.knowledge.student_layers or term.knowledge.teacher_layers:
            raise UserError(f"knowledge {name} reads features, and {because}; choose such as knowledge=response/kd")
