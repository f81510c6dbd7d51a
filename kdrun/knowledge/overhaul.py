"""Feature distillation before the ReLU, with a margin for what the teacher switches off."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from kdrun.errors import UserError
from kdrun.knowledge.adapters import connector
from kdrun.knowledge.layers import feature
from kdrun.knowledge.maps import paired_maps
from kdrun.knowledge.precision import in_float32
from kdrun.signals import Batch, Pair, Signals


@in_float32
def partial_distance(student: Tensor, teacher: Tensor, margin: Tensor) -> Tensor:
    """Squared distance to the teacher's features behind a margin ReLU, over the positions that matter.

        T = max(F_t, m_c)
        L = mean_b sum_chw { 0 where F_s <= T <= 0; (F_s - T)^2 elsewhere }

    student, teacher: (B, C, H, W), before the ReLU; no gradient goes to the teacher.
    margin: (C,), <= 0.
    Returns a scalar (), >= 0: a sum over C, H and W, as in the paper.
    Source: Heo et al. 2019, arXiv:1904.01866.
    """
    target = torch.maximum(teacher.detach(), margin.detach()[:, None, None])
    matters = (student > target) | (target > 0)
    return (student - target).square().where(matters, 0.0).sum() / len(student)


class Overhaul(nn.Module):
    """The student's stages, through trained connectors, against the teacher's before their last ReLU.

        L = sum_l layer_decay^(n - l) * partial_distance(r_l(F_s), F_t, m),    l = 1 ... n stages

    r_l: a convolution and batch normalisation. m: each channel's mean of the teacher's negative responses
    in the batches so far (the first batch: in this one), remembered in the state dict.

    student_layers, teacher_layers: equally many names of maps before a ReLU, paired in order; None for
        every stage.
    layer_decay: weight of a stage relative to the next deeper one, in (0, 1].
    Raises UserError where a layer is absent or no map, where the stages do not pair up or no connector
    joins them, or where layer_decay is out of range.
    Source: Heo et al. 2019, arXiv:1904.01866. Deviations: the margins are counted from responses, which the
    paper allows, where the authors' code takes them from the scale and shift of the batch normalisation
    before the ReLU. layer_decay is the authors' code's, not the paper's.
    """

    minimum: float | None = None  # the connectors start at random

    def __init__(
        self,
        pair: Pair,
        *,
        student_layers: Sequence[str] | None,
        teacher_layers: Sequence[str] | None,
        layer_decay: float,
    ) -> None:
        super().__init__()
        if not 0 < layer_decay <= 1:
            raise UserError(f"layer_decay must be > 0 and <= 1, got {layer_decay}")
        self.student_layers, self.teacher_layers = paired_maps(pair, student_layers, teacher_layers, suffix="_preact")
        self.layer_decay = layer_decay
        sources = [feature(pair.student, "student", layer).shape for layer in self.student_layers]
        targets = [feature(pair.teacher, "teacher", layer).shape for layer in self.teacher_layers]
        self.connectors = nn.ModuleList(connector(s, t) for s, t in zip(sources, targets, strict=True))
        self.margins = nn.ModuleList(NegativeMean(shape[1]) for shape in targets)

    def forward(self, student: Signals, teacher: Signals, batch: Batch) -> Tensor:
        losses: list[Tensor] = []
        layers = zip(self.student_layers, self.teacher_layers, self.connectors, self.margins, strict=True)
        for source, target, connect, margin in layers:
            theirs = teacher.features[target].detach()
            losses.append(partial_distance(connect(student.features[source]), theirs, margin(theirs)))
        weights = [self.layer_decay**depth for depth in reversed(range(len(losses)))]
        return torch.stack([weight * loss for weight, loss in zip(weights, losses, strict=True)]).sum()


class NegativeMean(nn.Module):
    """Mean of a layer's negative responses, by channel, over all batches seen in training.

    Called with (B, C, H, W) it gives the margin (C,) for this batch, from the batches before it; a channel
    that had no negative response in those takes this batch's (0 where that has none either). Then it counts
    the batch.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(channels))
        self.register_buffer("count", torch.zeros(channels, dtype=torch.int64))
        self.mean: Tensor
        self.count: Tensor

    @torch.no_grad()
    def forward(self, responses: Tensor) -> Tensor:
        wide = responses.to(torch.promote_types(responses.dtype, self.mean.dtype))
        count = (wide < 0).sum(dim=(0, 2, 3))
        total = wide.clamp(max=0).sum(dim=(0, 2, 3))
        margin = torch.where(self.count > 0, self.mean, total / count.clamp(min=1))
        if self.training:
            seen = self.count + count
            self.mean += (total - count * self.mean) / seen.clamp(min=1)
            self.count += count
        return margin
