"""Relation knowledge: losses on how the examples of a batch lie to each other.

Each compares B x B matrices, so the widths of student and teacher need not agree.
"""

from __future__ import annotations

from math import exp, factorial

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from kdrun.knowledge.layers import embeddings, feature
from kdrun.knowledge.maps import last_stage
from kdrun.knowledge.precision import in_float32
from kdrun.signals import Batch, Pair, Signals


@in_float32
def similarity(student: Tensor, teacher: Tensor) -> Tensor:
    """Difference between the two matrices of inner products, each row at length 1.

    |n(A_s A_s^T) - n(A_t A_t^T)|_F^2 / B^2, n dividing each row by its L2 norm, A the embeddings.

    student: (B, D_s). teacher: (B, D_t).
    Returns a scalar ().
    Source: Tung and Mori 2019, arXiv:1907.09682: the L2 norm, where one public implementation has L1.
    """
    own = F.normalize(student @ student.T, dim=1)
    taught = F.normalize(teacher @ teacher.T, dim=1).detach()
    return F.mse_loss(own, taught)


@in_float32
def correlation(student: Tensor, teacher: Tensor, *, gamma: float, order: int) -> Tensor:
    """Difference between the two kernel matrices of a batch.

    |K_s - K_t|_F^2 / B^2, K_ij = sum_(p=0)^order exp(-2 gamma) (2 gamma)^p / p! * cos(x_i, x_j)^p: the Taylor
    series of the Gaussian kernel exp(-gamma |x_i - x_j|^2) between embeddings of length 1.

    student: (B, D_s). teacher: (B, D_t). gamma: of the kernel, > 0. order: last power kept, >= 1.
    Returns a scalar ().
    Source: Peng et al. 2019, arXiv:1904.01802. Another loss goes by this name in public code: it
    multiplies the differences of neighbouring examples' embeddings, and is not in the paper.
    """
    own, taught = (_taylor_kernel(one, gamma, order) for one in (student, teacher.detach()))
    return F.mse_loss(own, taught)


def _taylor_kernel(x: Tensor, gamma: float, order: int) -> Tensor:
    cosines = _cosines(x)
    series = torch.zeros_like(cosines)
    for power in range(order + 1):
        series = series + exp(-2 * gamma) * (2 * gamma) ** power / factorial(power) * cosines**power
    return series


@in_float32
def pkt(student: Tensor, teacher: Tensor) -> Tensor:
    """Divergence between the probabilities of picking example j as a neighbour of example i.

    mean over B^2 of P_t log((P_t + 1e-7) / (P_s + 1e-7)), P_ij = (1 + cos(x_i, x_j)) / 2 over its row's sum.

    student: (B, D_s). teacher: (B, D_t).
    Returns a scalar ().
    Source: Passalis and Tefas 2018, arXiv:1803.10837, with the mean over the B^2 pairs of the
    published runs (the paper sums), which is why the published weight is large.
    """
    own, taught = (_neighbour_probs(one) for one in (student, teacher.detach()))
    return (taught * ((taught + 1e-7) / (own + 1e-7)).log()).mean()


def _neighbour_probs(x: Tensor) -> Tensor:
    affinities = (1 + _cosines(x)) / 2
    return affinities / affinities.sum(dim=1, keepdim=True)


def _cosines(x: Tensor) -> Tensor:
    unit = F.normalize(x, dim=1)
    return unit @ unit.T


class Similarity(nn.Module):
    """`similarity` of two layers, flattened; None stands for a network's last stage."""

    per_example = False

    def __init__(self, pair: Pair, *, student_layer: str | None, teacher_layer: str | None) -> None:
        super().__init__()
        self.student_layers, self.teacher_layers = one_layer_each(
            pair,
            last_stage(pair.student, "student", student_layer),
            last_stage(pair.teacher, "teacher", teacher_layer),
        )

    def forward(self, student: Signals, teacher: Signals, batch: Batch) -> Tensor:
        (own,), (taught,) = self.student_layers, self.teacher_layers
        return similarity(embeddings(student, own), embeddings(teacher, taught))


class Correlation(nn.Module):
    """`correlation` of two layers, flattened."""

    def __init__(self, pair: Pair, *, student_layer: str, teacher_layer: str, gamma: float, order: int) -> None:
        super().__init__()
        self.student_layers, self.teacher_layers = one_layer_each(pair, student_layer, teacher_layer)
        self.gamma = gamma
        self.order = order

    def forward(self, student: Signals, teacher: Signals, batch: Batch) -> Tensor:
        (own,), (taught,) = self.student_layers, self.teacher_layers
        return correlation(embeddings(student, own), embeddings(teacher, taught), gamma=self.gamma, order=self.order)


class PKT(nn.Module):
    """`pkt` of two layers, flattened."""

    per_example = False

    def __init__(self, pair: Pair, *, student_layer: str, teacher_layer: str) -> None:
        super().__init__()
        self.student_layers, self.teacher_layers = one_layer_each(pair, student_layer, teacher_layer)

    def forward(self, student: Signals, teacher: Signals, batch: Batch) -> Tensor:
        (own,), (taught,) = self.student_layers, self.teacher_layers
        return pkt(embeddings(student, own), embeddings(teacher, taught))


def one_layer_each(pair: Pair, student_layer: str, teacher_layer: str) -> tuple[tuple[str], tuple[str]]:
    """The layers' names as a term states them; raises UserError where a network lacks its layer."""
    feature(pair.student, "student", student_layer)
    feature(pair.teacher, "teacher", teacher_layer)
    return (student_layer,), (teacher_layer,)
