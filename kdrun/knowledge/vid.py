"""Variational information distillation: how well the student's features predict the teacher's."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from kdrun.errors import UserError
from kdrun.knowledge.layers import feature
from kdrun.knowledge.maps import paired_maps, same_size
from kdrun.knowledge.precision import in_float32
from kdrun.signals import Batch, Pair, Signals


@in_float32
def vid_loss(mean: Tensor, teacher: Tensor, variance: Tensor) -> Tensor:
    """Negative log likelihood of the teacher's features, Gaussian with one variance per channel.

        L = mean 0.5 * ((F_t - mean)^2 / v_c + log v_c)

    mean, teacher: (B, C, H, W); no gradient goes to the teacher.
    variance: (C,), > 0.
    Returns a scalar (), which may be negative; log(2 pi) / 2 is left out.
    Source: Ahn et al. 2019, arXiv:1904.05835; the mean over B, C, H, W in place of the sum.
    """
    variance = variance[:, None, None]
    return 0.5 * ((teacher.detach() - mean).square() / variance + variance.log()).mean()


class VID(nn.Module):
    """Predicts the teacher's stages from the student's: means by a small network, a variance per channel.

        L = sum over stages of vid_loss(mu(F_s), F_t, softplus(a) + min_variance)

    mu: three 1x1 convolutions with ReLU between, as wide as the teacher's stage. Where the two maps differ
    in size, the larger one is averaged to the smaller size first.

    student_layers, teacher_layers: equally many names of maps, paired in order; None for every stage.
    initial_variance: value of every variance at the start, > min_variance.
    min_variance: >= 0, keeps the variances off 0.
    Raises UserError where a layer is absent or no map, where the stages do not pair up, or for such numbers.
    Source: Ahn et al. 2019, arXiv:1904.05835.
    """

    minimum: float | None = None

    def __init__(
        self,
        pair: Pair,
        *,
        student_layers: Sequence[str] | None,
        teacher_layers: Sequence[str] | None,
        initial_variance: float,
        min_variance: float,
    ) -> None:
        super().__init__()
        if not initial_variance > min_variance >= 0:
            raise UserError(f"initial_variance must be > min_variance >= 0, got {initial_variance} and {min_variance}")
        self.student_layers, self.teacher_layers = paired_maps(pair, student_layers, teacher_layers)
        self.min_variance = min_variance
        sources = [feature(pair.student, "student", layer).shape[1] for layer in self.student_layers]
        targets = [feature(pair.teacher, "teacher", layer).shape[1] for layer in self.teacher_layers]
        self.means = nn.ModuleList(_mean(s, t) for s, t in zip(sources, targets, strict=True))
        start = math.log(math.expm1(initial_variance - min_variance))  # inverse of softplus
        self.raw_variances = nn.ParameterList(torch.full((channels,), start) for channels in targets)

    def forward(self, student: Signals, teacher: Signals, batch: Batch) -> Tensor:
        losses = []
        layers = zip(self.student_layers, self.teacher_layers, strict=True)
        for (source, target), mean, raw in zip(layers, self.means, self.raw_variances, strict=True):
            ours, theirs = same_size(student.features[source], teacher.features[target])
            losses.append(vid_loss(mean(ours), theirs, F.softplus(raw) + self.min_variance))
        return torch.stack(losses).sum()


def _mean(source: int, target: int) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(source, target, 1),
        nn.ReLU(),
        nn.Conv2d(target, target, 1),
        nn.ReLU(),
        nn.Conv2d(target, target, 1),
    )
