"""Flow of the solution procedure: how one layer's channels go with the next one's."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from kdrun.errors import UserError
from kdrun.knowledge.maps import paired_maps
from kdrun.knowledge.precision import in_float32
from kdrun.signals import Batch, Pair, Signals


@in_float32
def fsp(student: Sequence[Tensor], teacher: Sequence[Tensor]) -> Tensor:
    """Difference between the flow matrices of successive layers, summed over the pairs of layers.

    sum over pairs of mean_(b, i, j) (G_s - G_t)^2, G_bij = 1 / (H * W) * sum_hw first_bihw * second_bjhw. The
    larger map of a pair is max-pooled to the size of the smaller.

    student, teacher: two or more features (B, C, H, W) each, in the network's order, with equal C at equal
        places; H and W may differ between the networks.
    Returns a scalar ().
    Source: Yim et al. 2017, "A Gift from Knowledge Distillation", CVPR, with the mean over the entries
    of a matrix where the paper sums. The paper trains on this loss first and on the labels after.
    """
    flows = zip(pairwise(student), pairwise(teacher), strict=True)
    return torch.stack([F.mse_loss(_flow(*own), _flow(*taught).detach()) for own, taught in flows]).sum()


def _flow(first: Tensor, second: Tensor) -> Tensor:
    """(B, C, H, W), (B, D, H', W') -> (B, C, D)."""
    size = [min(sides) for sides in zip(first.shape[2:], second.shape[2:], strict=True)]
    first, second = (F.adaptive_max_pool2d(one, size).flatten(2) for one in (first, second))
    return first @ second.mT / first.shape[2]


class FSP(nn.Module):
    """`fsp` of two lists of layers; None stands for every stage of a network.

    Raises UserError for a layer that is absent or no map, for lists of different lengths or of a single
    layer, and where channels differ: an adapter between could learn any flow, so there is none.
    """

    def __init__(
        self, pair: Pair, *, student_layers: Sequence[str] | None, teacher_layers: Sequence[str] | None
    ) -> None:
        super().__init__()
        self.student_layers, self.teacher_layers = paired_maps(pair, student_layers, teacher_layers)
        if len(self.student_layers) < 2:
            raise UserError(f"fsp needs two layers or more, got {self.student_layers[0]}: name another")
        for own, taught in zip(self.student_layers, self.teacher_layers, strict=True):
            _check_channels(pair, own, taught)

    def forward(self, student: Signals, teacher: Signals, batch: Batch) -> Tensor:
        return fsp(
            [student.features[layer] for layer in self.student_layers],
            [teacher.features[layer] for layer in self.teacher_layers],
        )


def _check_channels(pair: Pair, student_layer: str, teacher_layer: str) -> None:
    own = pair.student.features[student_layer].shape[1]
    taught = pair.teacher.features[teacher_layer].shape[1]
    if own != taught:
        raise UserError(
            f"fsp needs equal channels: the student's {student_layer} has {own}, the teacher's "
            f"{teacher_layer} {taught}; choose other layers or networks of one width"
        )
