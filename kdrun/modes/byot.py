"""Be your own teacher: heads at a student's stages learn from its end, and are thrown away."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from kdrun.errors import UserError
from kdrun.knowledge.adapters import regressor
from kdrun.knowledge.feature import mean_squared_error
from kdrun.models import TappedNetwork
from kdrun.models.blocks import global_average
from kdrun.modes.loss import LABELS_ALONE, LossWeights, Term, check_reads_logits, combined
from kdrun.modes.offline import Offline
from kdrun.signals import Batch, Pair, Signals

END = "pooled"  # the feature that enters the student's own classifier


class Byot:
    """One student, and a head at each of its stages but the last, which its own end teaches.

        L = CE(labels, end) + sum_i [L_i + hint * mean (f_i - F)^2]

    L_i is the combined loss of head i, whose teacher is the end; f_i is the head's bottleneck feature, F the feature
    `pooled` of the end. No gradient goes to the end as a teacher. The network that is kept is the student alone.

    student, terms, exported, weights: as of `Offline`; terms read logits alone, and those that are modules are shared
        by all heads.
    pair: shapes of the student's layers stage1, stage2, ... (perceptrons: hidden1, ...) and pooled.
    hint: >= 0, weight of the features' side; at 0 it is not computed.
    needs_teacher: not looked at, nobody else is asked.
    Raises UserError for terms that read features, and for networks with fewer than two such layers.
    Source: Zhang et al. 2019, arXiv:1905.08094, equations 3 to 5. Deviations: one convolution for their bottlenecks,
    and a mean over features after pooling where they have a norm.
    """

    def __init__(
        self,
        student: nn.Module,
        terms: Mapping[str, Term],
        *,
        pair: Pair,
        exported: nn.Module,
        weights: LossWeights,
        needs_teacher: bool,
        hint: float,
    ) -> None:
        if not hint >= 0:
            raise UserError(f"mode.hint must be at least 0, got {hint}")
        check_reads_logits(terms, "a head at a stage is set beside the end by its logits")
        heads = heads_for(pair)
        self._taught = Offline(student, terms, pair=pair, exported=exported, weights=weights, needs_teacher=True)
        self._heads, self._hint = heads, hint
        self._tapped = TappedNetwork(student, [*heads, END])
        self._ask = self._asked
        self.student, self.network, self.teacher_layers = exported, student, None
        of_heads = [f"heads_{name}" for name in self._taught.part_names[1:]]
        self.part_names = ("loss", "ce", *of_heads, *(["heads_hint"] if hint else []))
        self.trained: nn.Module = nn.ModuleDict({"taught": self._taught.trained, "heads": heads})

    def losses(self, batch: Batch, teacher: Signals | None) -> tuple[Tensor, ...]:
        end, heads = self._ask(batch.inputs)
        ce = combined(end, end, batch, terms={}, weights=LABELS_ALONE)[0]
        said = Signals(end.logits.detach())
        losses = [self._taught.losses_of(Signals(head.logits), batch, said) for head in heads]
        total, *parts = (torch.stack(alike).sum() for alike in zip(*losses, strict=True))
        if self._hint:
            pulls = [mean_squared_error(head.feature, end.features[END]) for head in heads]
            parts.append(torch.stack(pulls).sum())
            total = total + self._hint * parts[-1]
        return ce + total, ce, *parts

    def compile(self, **options: Any) -> None:
        self._ask = torch.compile(self._asked, **options)

    def _asked(self, inputs: Tensor | dict[str, Tensor]) -> tuple[Signals, list[Said]]:
        end = self._tapped(inputs)
        return end, [head(end.features[layer]) for layer, head in self._heads.items()]


class Said(NamedTuple):
    """What a head says of a batch. feature: (B, D), of its bottleneck. logits: (B, K)."""

    feature: Tensor
    logits: Tensor


class Head(nn.Module):
    """A bottleneck from a stage's feature to a vector (B, D), and a linear classifier of it.

    stage: shape of the stage's feature, (B, C, H, W) or (B, W). last: that of the last stage, for its resolution.
    """

    def __init__(self, stage: torch.Size, last: torch.Size, width: int, num_classes: int) -> None:
        super().__init__()
        is_map = len(stage) == 4
        self.bottleneck = nn.Sequential(
            regressor(stage, torch.Size((stage[0], width, *last[2:]))), global_average() if is_map else nn.ReLU()
        )
        self.classifier = nn.Linear(width, num_classes)

    def forward(self, value: Tensor) -> Said:
        feature = self.bottleneck(value)
        return Said(feature, self.classifier(feature))


def heads_for(pair: Pair) -> nn.ModuleDict:
    """A head for each stage of a student but its last, by the name of the layer, freshly initialised."""
    features = pair.student.features
    stages = sorted((name for name in features if re.fullmatch(r"(stage|hidden)\d+", name)), key=_number)
    if len(stages) < 2 or END not in features:
        raise UserError(
            f"mode=byot needs a student of two stages or more (layers stage1, stage2, ... or hidden1, hidden2, ...), "
            f"got {', '.join(stages) or 'none'}; choose another, such as student=conv_s or student=mlp64"
        )
    last, width = features[stages[-1]].shape, features[END].shape[1]
    heads = {name: Head(features[name].shape, last, width, pair.num_classes) for name in stages[:-1]}
    return nn.ModuleDict(heads).to(memory_format=torch.channels_last)


def _number(layer: str) -> int:
    return int(re.sub(r"\D", "", layer))
