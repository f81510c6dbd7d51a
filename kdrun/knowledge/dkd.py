"""Decoupled knowledge distillation: the true class and the other classes weighed apart."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from kdrun.errors import UserError
from kdrun.knowledge.precision import in_float32
from kdrun.knowledge.ranges import positive
from kdrun.knowledge.response import standardised
from kdrun.signals import Batch, Pair, Signals


@in_float32
def dkd(
    student_logits: Tensor,
    teacher_logits: Tensor,
    labels: Tensor,
    *,
    tau: float,
    target_weight: float,
    nontarget_weight: float,
) -> Tensor:
    """The divergence of `kd`, split into what concerns the true class and what concerns the others.

    tau^2 * mean_b (target_weight * KL(t || s) + nontarget_weight * KL(t' || s')), all at tau: t, s are the
    distributions (p_y, 1 - p_y) of teacher and student, t', s' those over the classes other than y.

    student_logits, teacher_logits: (B, K), K > 2. labels: (B,) class indices. tau: temperature, > 0.
    Returns a scalar ().
    Source: Zhao et al. 2022, arXiv:2203.08679. log(1 - p_y) is taken from the logits of the other
    classes: from p_y it is -inf for a confident network.
    """
    is_label = F.one_hot(labels, student_logits.shape[1]).bool()
    student = _split(student_logits / tau, is_label)
    teacher = _split(teacher_logits.detach() / tau, is_label)
    target, nontarget = (_divergence(t, s) for t, s in zip(teacher, student, strict=True))
    return tau**2 * (target_weight * target + nontarget_weight * nontarget)


def _split(logits: Tensor, is_label: Tensor) -> tuple[Tensor, Tensor]:
    """Log-probabilities (B, 2) of the label and of the rest together, and (B, K) within the rest."""
    others = logits.masked_fill(is_label, -torch.inf)
    rest = others.logsumexp(dim=1, keepdim=True)
    label = logits.masked_fill(~is_label, 0).sum(dim=1, keepdim=True)
    return F.log_softmax(torch.cat([label, rest], dim=1), dim=1), others - rest


def _divergence(teacher_log_probs: Tensor, student_log_probs: Tensor) -> Tensor:
    """mean_b KL(teacher || student), leaving out classes that have no probability by construction."""
    absent = teacher_log_probs.isneginf()
    difference = teacher_log_probs.masked_fill(absent, 0) - student_log_probs.masked_fill(absent, 0)
    return (teacher_log_probs.exp() * difference).sum(dim=1).mean()


class DKD(nn.Module):
    """`dkd`, on standardised logits where `standardise` is true.

    Raises UserError for two classes, where nothing is left beside the true class and its complement, and
    unless tau > 0.
    """

    student_layers: tuple[str, ...] = ()
    teacher_layers: tuple[str, ...] = ()
    reads_labels = True

    def __init__(
        self, pair: Pair, *, tau: float, target_weight: float, nontarget_weight: float, standardise: bool
    ) -> None:
        super().__init__()
        if pair.num_classes < 3:
            raise UserError(f"dkd needs 3 classes or more, got {pair.num_classes}: use knowledge=response/kd")
        self.tau = positive("tau", tau)
        self.target_weight = target_weight
        self.nontarget_weight = nontarget_weight
        self.standardise = standardise

    def forward(self, student: Signals, teacher: Signals, batch: Batch) -> Tensor:
        logits = student.logits, teacher.logits
        if self.standardise:
            logits = standardised(student.logits), standardised(teacher.logits)
        return dkd(
            *logits,
            batch.labels,
            tau=self.tau,
            target_weight=self.target_weight,
            nontarget_weight=self.nontarget_weight,
        )
