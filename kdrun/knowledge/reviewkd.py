"""Knowledge review: each of the teacher's stages is learned by the student's stage and all deeper ones."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from kdrun.errors import UserError
from kdrun.knowledge.adapters import Norm
from kdrun.knowledge.layers import feature
from kdrun.knowledge.maps import as_map, paired, stage_names
from kdrun.knowledge.precision import in_float32
from kdrun.signals import Batch, Pair, Signals


@in_float32
def hierarchical_context_loss(student: Tensor, teacher: Tensor, *, pools: Sequence[int]) -> Tensor:
    """Mean squared difference of two maps at full size and averaged to smaller ones.

        L = sum_i 2^-i * mean (pool_i(F_s) - pool_i(F_t))^2 / sum_i 2^-i

    i = 0 is the full size; i = 1, 2, ... are those sizes of `pools` that are smaller than the map.

    student, teacher: (B, C, H, W); no gradient goes to the teacher.
    pools: sides in pixels of the averaged maps, from large to small.
    Returns a scalar (), >= 0.
    Source: Chen et al. 2021, arXiv:2104.09044 (hierarchical context loss); weights of the
    authors' code.
    """
    teacher = teacher.detach()
    smaller = [size for size in pools if size < min(student.shape[2:])]
    maps = [(student, teacher)]
    maps += [(F.adaptive_avg_pool2d(student, size), F.adaptive_avg_pool2d(teacher, size)) for size in smaller]
    weights = [0.5**level for level in range(len(maps))]
    losses = [weight * (s - t).square().mean() for weight, (s, t) in zip(weights, maps, strict=True)]
    return torch.stack(losses).sum() / sum(weights)


class ReviewKD(nn.Module):
    """The student's stages are fused from the deepest up; each fusion is to equal a stage of the teacher.

        L = sum over stages of hierarchical_context_loss(fusion_l(F_s at l, fusion at l + 1), F_t at l)

    student_layers: names of maps or vectors, from shallow to deep; None for every stage and `pooled`.
    teacher_layers: as many; None for every stage before its last ReLU, and `pooled`.
    max_width: channels of the fusions, unless the student's deepest layer has fewer; >= 1.
    pools: as in `hierarchical_context_loss`.
    Raises UserError where a layer is absent, where the stages do not pair up, or for a max_width below 1.
    Source: Chen et al. 2021, arXiv:2104.09044. Details (widths, which layers, the teacher's features before
    the ReLU) are the authors' code's.
    """

    minimum: float | None = None  # the fusions start at random

    def __init__(
        self,
        pair: Pair,
        *,
        student_layers: Sequence[str] | None,
        teacher_layers: Sequence[str] | None,
        max_width: int,
        pools: Sequence[int],
    ) -> None:
        super().__init__()
        if max_width < 1:
            raise UserError(f"max_width must be >= 1, got {max_width}")
        self.student_layers, self.teacher_layers = paired(
            pair,
            (*stage_names(pair.student, "student"), "pooled") if student_layers is None else student_layers,
            (*stage_names(pair.teacher, "teacher", "_preact"), "pooled") if teacher_layers is None else teacher_layers,
        )
        self.pools = tuple(pools)
        sources = [feature(pair.student, "student", layer).shape[1] for layer in self.student_layers]
        targets = [feature(pair.teacher, "teacher", layer).shape[1] for layer in self.teacher_layers]
        width, deepest = min(max_width, sources[-1]), len(sources) - 1
        self.fusions = nn.ModuleList(
            Fusion(source, width, target, deeper=level < deepest)
            for level, (source, target) in enumerate(zip(sources, targets, strict=True))
        )

    def forward(self, student: Signals, teacher: Signals, batch: Batch) -> Tensor:
        losses, fused = [], None
        levels = list(zip(self.student_layers, self.teacher_layers, self.fusions, strict=True))
        for source, target, fuse in reversed(levels):
            theirs = as_map(teacher.features[target])
            ours, fused = fuse(as_map(student.features[source]), fused, theirs.shape[2:])
            losses.append(hierarchical_context_loss(ours, theirs, pools=self.pools))
        return torch.stack(losses).sum()


class Fusion(nn.Module):
    """Attention-based fusion of one of the student's layers with the fusion of the layers behind it.

    source, width, target: channels of the layer, of the fusion, of the teacher's layer.
    deeper: whether there is a fusion behind; the deepest layer has none.
    """

    def __init__(self, source: int, width: int, target: int, *, deeper: bool) -> None:
        super().__init__()
        self.narrow = nn.Sequential(nn.Conv2d(source, width, 1, bias=False), Norm(width))
        self.shares = nn.Sequential(nn.Conv2d(2 * width, 2, 1), nn.Sigmoid()) if deeper else None
        self.widen = nn.Sequential(nn.Conv2d(width, target, 3, padding=1, bias=False), Norm(target))

    def forward(self, layer: Tensor, behind: Tensor | None, size: tuple[int, int]) -> tuple[Tensor, Tensor]:
        """The guess at the teacher's layer, (B, target, *size), and the fusion, (B, width, H, W)."""
        fused = self.narrow(layer)
        if self.shares is not None and behind is not None:
            behind = F.interpolate(behind, size=fused.shape[2:], mode="nearest")
            own, others = self.shares(torch.cat([fused, behind], dim=1)).split(1, dim=1)
            fused = own * fused + others * behind
        return self.widen(_resized(fused, size)), fused


def _resized(value: Tensor, size: tuple[int, int]) -> Tensor:
    return value if value.shape[2:] == size else F.interpolate(value, size=size, mode="nearest")
