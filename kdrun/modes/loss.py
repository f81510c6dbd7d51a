"""The combined loss: labels on one side, the teacher on the other. Formed here and nowhere else."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from torch import Tensor
from torch.nn import functional

from kdrun.errors import UserError
from kdrun.knowledge import Knowledge
from kdrun.knowledge.precision import in_float32
from kdrun.signals import Batch, Signals


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
    looks at a label.

    student: logits (B, K) and the features that the terms read.
    teacher: the same of the teacher.
    alpha: in [0, 1], the weight of the teacher's side.
    Returns scalars (): L, then CE (alpha < 1), then each L_k in the order of `terms` (alpha > 0).
    """
    sides: list[Tensor] = []
    parts: list[Tensor] = []
    if alpha < 1:
        ce = _cross_entropy(student.logits, batch.labels)
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


def part_names(terms: Mapping[str, Term], alpha: float) -> tuple[str, ...]:
    """Names of what `combined` returns, in its order."""
    return ("loss", *(["ce"] if alpha < 1 else []), *(terms if alpha > 0 else []))


def check_reads_logits(terms: Mapping[str, Term], because: str) -> None:
    """Raises UserError for a term that reads features. because: why there are logits alone, as a clause."""
    for name, term in terms.items():
        if term.knowledge.student_layers or term.knowledge.teacher_layers:
            raise UserError(f"knowledge {name} reads features, and {because}; choose such as knowledge=response/kd")
