"""Relational knowledge distillation: distances and angles between the examples of a batch."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from kdrun.knowledge.layers import embeddings
from kdrun.knowledge.precision import in_float32
from kdrun.knowledge.relation import one_layer_each
from kdrun.signals import Batch, Pair, Signals

# Squared distance that stands for "the same place".
COINCIDENT = 1e-12


@in_float32
def rkd(student: Tensor, teacher: Tensor, *, distance_weight: float, angle_weight: float) -> Tensor:
    """Difference in relative distances between two examples and in angles between three.

    distance_weight * mean_(i, j) h(d_s / mean d_s, d_t / mean d_t)
        + angle_weight * mean_(i, j, k) h(cos_s(i j k), cos_t(i j k)),
    d the Euclidean distances, cos(i j k) the cosine of the angle at j, h the Huber loss with threshold 1.
    Means are over pairs and triplets of different examples, and 0 where the batch has none. Examples that
    coincide have distance 1e-6, and the angles between one and the other's place cosine 0, without gradient.

    student: (B, D_s). teacher: (B, D_t).
    Returns a scalar (). Memory is of the order B^3, none of it times D.
    Source: Park et al. 2019, arXiv:1904.05068. The paper adds up; the published weights belong to
    the mean. Public code also averages over i = j, which is (B - 1) / B of this.
    """
    (own, own_dots), (taught, taught_dots) = (_differences(one) for one in (student, teacher.detach()))
    distances = F.smooth_l1_loss(_relative(own), _relative(taught), reduction="sum")
    angles = F.smooth_l1_loss(_cosines(own, own_dots), _cosines(taught, taught_dots), reduction="sum")
    size = len(student)
    pairs, triplets = size * (size - 1), size * (size - 1) * (size - 2)
    return distance_weight * distances / max(pairs, 1) + angle_weight * angles / max(triplets, 1)


def _differences(x: Tensor) -> tuple[Tensor, Tensor]:
    """Squared distances (B, B), clamped from below, and inner products (B, B), both from one product.

    Angles and distances do not change when all move together: with the mean at 0 less is lost to rounding.
    Distances below what rounding leaves of the product count as coincidence.
    """
    x = x - x.mean(dim=0)
    dots = x @ x.T
    squares = dots.diagonal()
    sums = squares[:, None] + squares
    floor = COINCIDENT + 4 * torch.finfo(x.dtype).eps * sums
    squared = sums - 2 * dots
    return torch.where(squared > floor, squared, COINCIDENT), dots


def _relative(squared: Tensor) -> Tensor:
    """Distances over their mean: (B, B), 0 on the diagonal."""
    distances = squared.sqrt() * _unequal(squared)
    mean = distances.sum() / max(distances.numel() - len(distances), 1)
    return distances / mean.clamp_min(COINCIDENT)


def _cosines(squared: Tensor, dots: Tensor) -> Tensor:
    """Cosine of the angle at j between i and k, at [j, i, k]: (B, B, B), 0 where i = k or one lies at j.

    (x_i - x_j) . (x_k - x_j) = x_i.x_k - x_i.x_j - x_j.x_k + x_j.x_j
    """
    corner = dots.diagonal()[:, None, None]
    products = dots[None] - dots[:, :, None] - dots[:, None, :] + corner
    inverse = squared.rsqrt() * (squared > COINCIDENT)
    return products * inverse[:, :, None] * inverse[:, None, :] * _unequal(squared)


def _unequal(matrix: Tensor) -> Tensor:
    """1 off the diagonal, 0 on it."""
    return 1 - torch.eye(len(matrix), dtype=matrix.dtype, device=matrix.device)


class RKD(nn.Module):
    """`rkd` of two layers, flattened."""

    per_example = False

    def __init__(
        self,
        pair: Pair,
        *,
        student_layer: str,
        teacher_layer: str,
        distance_weight: float,
        angle_weight: float,
    ) -> None:
        super().__init__()
        self.student_layers, self.teacher_layers = one_layer_each(pair, student_layer, teacher_layer)
        self.distance_weight = distance_weight
        self.angle_weight = angle_weight

    def forward(self, student: Signals, teacher: Signals, batch: Batch) -> Tensor:
        (own,), (taught,) = self.student_layers, self.teacher_layers
        return rkd(
            embeddings(student, own),
            embeddings(teacher, taught),
            distance_weight=self.distance_weight,
            angle_weight=self.angle_weight,
        )
