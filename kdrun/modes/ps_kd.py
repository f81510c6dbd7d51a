"""Progressive self-distillation: a student is taught by what it said of each example an epoch ago."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from kdrun.models import TappedNetwork
from kdrun.modes.loss import LossWeights, Term, check_reads_logits
from kdrun.modes.offline import Offline
from kdrun.signals import Batch, Pair, Signals


class PsKd:
    """One student under the combined loss, whose teacher is the student itself, one epoch before.

    The teacher's logits of an example are those that the student gave when it last met it in training, in the view
    and with the dropout of then. An example that it has not met yet is set beside what the student says now, without
    gradient: terms that are least where both agree pull nowhere. Past logits are remembered with the training state and
    are no part of what is kept.

    student, terms, exported, weights: as of `Offline`. pair: its `example_ids` are those remembered.
    needs_teacher: not looked at, nobody else is asked.
    Raises UserError for terms that read features.
    Source: Kim et al. 2021, arXiv:2006.12000, where alpha grows linearly from 0 and tau = 1; a cross-entropy with
    mixed targets, it has the gradient of this sum with `kd` at tau = 1.
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
    ) -> None:
        check_reads_logits(terms, "past logits are all that a student remembers of itself")
        self._taught = Offline(student, terms, pair=pair, exported=exported, weights=weights, needs_teacher=True)
        self._past = Past(pair)
        self._tapped = TappedNetwork(student)
        self.student, self.network = exported, student
        self.part_names, self.teacher_layers = self._taught.part_names, None
        self.trained: nn.Module = nn.ModuleDict({"taught": self._taught.trained, "past": self._past})

    def losses(self, batch: Batch, teacher: Signals | None) -> tuple[Tensor, ...]:
        said = self._tapped(batch.inputs)
        return self._taught.losses_of(said, batch, Signals(self._past(batch.ids, said.logits)))

    def compile(self, **options: Any) -> None:
        self._tapped.compile(**options)


class Past(nn.Module):
    """The logits that a network gave of each example when it last met it. All of it is in the state dict."""

    example_ids: Tensor
    logits: Tensor
    met: Tensor

    def __init__(self, pair: Pair) -> None:
        super().__init__()
        examples = len(pair.example_ids)
        self.register_buffer("example_ids", pair.example_ids)
        self.register_buffer("logits", torch.zeros(examples, pair.num_classes))
        self.register_buffer("met", torch.zeros(examples, dtype=torch.bool))

    @torch.no_grad()
    def forward(self, ids: Tensor, logits: Tensor) -> Tensor:
        """What the network said before of examples; where it had not met them, what it says now. Remembers the latter.

        ids: (B,), no two alike. logits: (B, K), those of now. Returns (B, K) float32 without gradient.
        """
        rows, now = torch.searchsorted(self.example_ids, ids), logits.to(self.logits.dtype)
        before = torch.where(self.met[rows, None], self.logits[rows], now)
        self.logits.index_copy_(0, rows, now)
        self.met.index_fill_(0, rows, True)
        return before
