"""The combined loss of labels and knowledge terms. Formed here and nowhere else."""

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


class LossWeights(NamedTuple):
    """How the labels and the mixed terms share a loss.

    alpha: in [0, 1], the weight of the mixed terms; None where there are none.
    labels: >= 0, the weight of the labels' cross-entropy; None: 1 - alpha, in every epoch.
    """

    alpha: Alpha | None
    labels: float | None

    def of_mixed(self, epoch: int) -> float:
        """The weight of the mixed terms in an epoch, counted from 0."""
        if self.alpha is None:
            return 0.0
        return self.alpha if isinstance(self.alpha, int | float) else self.alpha.at(epoch)

    def of_labels(self, epoch: int) -> float:
        """The weight of the labels' cross-entropy in an epoch, counted from 0."""
        return 1 - self.of_mixed(epoch) if self.labels is None else self.labels

    @property
    def has_labels(self) -> bool:
        """Whether the cross-entropy has a weight in any epoch."""
        if self.labels is not None:
            return self.labels > 0
        return not isinstance(self.alpha, int | float) or self.alpha < 1

    @property
    def has_mixed(self) -> bool:
        """Whether the mixed terms have a weight in any epoch."""
        return self.alpha is not None and (not isinstance(self.alpha, int | float) or self.alpha > 0)


LABELS_ALONE = LossWeights(alpha=None, labels=1.0)


class Term(NamedTuple):
    """A knowledge term with its weight (>= 0), reached linearly over `warmup_epochs` epochs (0: at once).

    mixed: whether it shares the labels' weight by alpha; otherwise it is added with its own weight.
    tau: its temperature over the epochs; None where it is the term's own throughout, or it has none.
    """

    knowledge: Knowledge
    weight: float
    warmup_epochs: int
    mixed: bool
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
    student: Signals, teacher: Signals, batch: Batch, *, terms: Mapping[str, Term], weights: LossWeights
) -> tuple[Tensor, ...]:
    """The loss of a batch and its parts.

        L = l * CE(labels, student) + alpha * sum_{k mixed} weight_k * L_k + sum_{k added} weight_k * L_k

    l is 1 - alpha unless it is given. Mixed terms (divergences between the logits) take weight from the labels, as in
    Hinton et al. 2015; added terms (features, relations) come on top, as they are published. What has no weight in
    any epoch is not computed at all: alpha = 0 is plain cross-entropy, and l = 0 never reads a label. What has one
    in some epochs is computed in all of them. CE is the mean over the examples of the batch that have a label, and 0
    where none has.

    student: logits (B, K) and the features that the terms read.
    teacher: the same of the teacher.
    Returns scalars (): L, then CE and each L_k in the order of `terms`, as far as they are computed.
    """
    summands: list[Tensor] = []
    parts: list[Tensor] = []
    if weights.has_labels:
        ce, weight = _label_loss(student, batch), weights.of_labels(batch.epoch)
        parts.append(ce)
        summands.append(ce if weight == 1 else weight * ce)
    for term in computed(terms, weights).values():
        value = term.value(student, teacher, batch)
        shared = weights.of_mixed(batch.epoch) if term.mixed else 1.0
        parts.append(value)
        summands.append(shared * term.weight_at(batch.epoch) * value)
    total = summands[0]
    for summand in summands[1:]:
        total = total + summand
    return total, *parts


def computed(terms: Mapping[str, Term], weights: LossWeights) -> dict[str, Term]:
    """The terms that are computed: all that are added, and those that are mixed where alpha is ever above 0."""
    return {name: term for name, term in terms.items() if weights.has_mixed or not term.mixed}


def _label_loss(student: Signals, batch: Batch) -> Tensor:
    ce: Tensor = _cross_entropy(student.logits, batch.labels, ignore_index=UNLABELLED)
    if batch.all_labelled:
        return ce
    return torch.where((batch.labels != UNLABELLED).any(), ce, torch.zeros_like(ce))  # 0 / 0 otherwise


def part_names(terms: Mapping[str, Term], weights: LossWeights) -> tuple[str, ...]:
    """Names of what `combined` returns, in its order."""
    return ("loss", *(["ce"] if weights.has_labels else []), *computed(terms, weights))


def check_reads_logits(terms: Mapping[str, Term], because: str) -> None:
    """Raises UserError for a term that reads features. because: why there are logits alone, as a clause."""
    for name, term in terms.items():
        if term.knowledge.student_layers or term.knowledge.teacher_layers:
            raise UserError(f"knowledge {name} reads features, and {because}; choose such as knowledge=response/kd")
