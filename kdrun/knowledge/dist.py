"""DIST: the student keeps the teacher's correlations instead of its exact probabilities."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from kdrun.knowledge.precision import in_float32
from kdrun.knowledge.ranges import positive
from kdrun.signals import Batch, Pair, Signals


@in_float32
def dist(
    student_logits: Tensor, teacher_logits: Tensor, *, tau: float, inter_weight: float, intra_weight: float
) -> Tensor:
    """How far the probabilities are from being linearly related, within examples and within classes.

    tau^2 * (inter_weight * (1 - mean_b r(rows)) + intra_weight * (1 - mean_k r(columns))) of the
    probabilities at tau, r Pearson's correlation. 0 where the networks agree, up to the 1e-8 that keeps r
    finite. A batch of one has no correlation within classes: that part is then 1 and gives no gradient.

    student_logits, teacher_logits: (B, K). tau: temperature, > 0.
    Returns a scalar ().
    Source: Huang et al. 2022, arXiv:2205.10536. The factor tau^2 is that of the published runs.
    r does not shrink with tau, so the gradient grows with tau up to tau^2: unlike for `kd`, alpha means
    another thing when tau changes.
    """
    probs = F.softmax(student_logits / tau, dim=1)
    soft_targets = F.softmax(teacher_logits.detach() / tau, dim=1)
    inter = 1 - _pearson(probs, soft_targets).mean()
    intra = 1 - _pearson(probs.T, soft_targets.T).mean()
    return tau**2 * (inter_weight * inter + intra_weight * intra)


def _pearson(x: Tensor, y: Tensor) -> Tensor:
    """Correlation of each row of x with the same row of y: (N, M), (N, M) -> (N,)."""
    x = x - x.mean(dim=1, keepdim=True)
    y = y - y.mean(dim=1, keepdim=True)
    lengths: Tensor = torch.linalg.vector_norm(x, dim=1) * torch.linalg.vector_norm(y, dim=1)
    return (x * y).sum(dim=1) / (lengths + 1e-8)


class DIST(nn.Module):
    """`dist`. Raises UserError unless tau > 0."""

    student_layers: tuple[str, ...] = ()
    teacher_layers: tuple[str, ...] = ()
    constant_in_tau = False

    def __init__(self, pair: Pair, *, tau: float, inter_weight: float, intra_weight: float) -> None:
        super().__init__()
        self.tau = positive("tau", tau)
        self.inter_weight = inter_weight
        self.intra_weight = intra_weight

    def forward(self, student: Signals, teacher: Signals, batch: Batch) -> Tensor:
        weights = {"inter_weight": self.inter_weight, "intra_weight": self.intra_weight}
        return dist(student.logits, teacher.logits, tau=self.tau, **weights)
