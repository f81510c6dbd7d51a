"""Contrastive representation distillation, with a memory of the embeddings of every example trained on."""

from __future__ import annotations

from math import log

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from kdrun.errors import UserError
from kdrun.knowledge.layers import embeddings, feature
from kdrun.knowledge.precision import in_float32
from kdrun.knowledge.ranges import fraction, positive
from kdrun.knowledge.relation import one_layer_each
from kdrun.signals import Batch, Pair, Signals


@in_float32
def contrast(scores: Tensor, log_normaliser: Tensor) -> Tensor:
    """Noise-contrastive estimation: tell the one true partner from N random ones.

    -mean_b (log h(scores_b0) + sum_(n=1)^N log(1 - h(scores_bn))), h(s) = r / (r + N), r = exp(s) / Z.

    scores: (B, 1 + N) inner products over the temperature, the true partner first.
    log_normaliser: () log Z, about the log of the mean of exp(scores).
    Returns a scalar ().
    Source: Tian et al. 2020, arXiv:1910.10699. Their h is e^s / (e^s + N / M), M the number of examples,
    which is this with Z = 1 / M: read so, with M = 50,000 and N = 16,384, the first batch of
    unrelated embeddings costs some 23,000. The published weight belongs to the published runs, in which Z is
    measured, as in the estimator they build on (Wu et al. 2018, arXiv:1805.01978): then it costs about 11.
    """
    negatives = scores.shape[1] - 1
    log_odds = scores - log_normaliser - log(negatives)
    return -(F.logsigmoid(log_odds[:, 0]) + F.logsigmoid(-log_odds[:, 1:]).sum(dim=1)).mean()


class CRD(nn.Module):
    """`contrast` of each network's embeddings with the other's remembered ones, added up.

    embedding_size: width of the two trained linear maps; embeddings have length 1.
    negatives: N, drawn with replacement for each example from all others that the student trains on.
    temperature: divides the inner products, > 0.
    momentum: share of the old embedding that is kept in the memory, in [0, 1].

    Negatives are any other example: the published runs leave out those of the same class, which would let
    labels into the teacher's side. They come from torch's global generator. There is one memory for each id
    in the pair's `example_ids`, in their order; memories start as random directions, and log Z is measured
    on the first batch. All of it is in the state dict.
    Raises UserError where a layer is absent, with fewer than two examples, or for a number out of range.
    """

    minimum = None
    per_example = False
    example_ids: Tensor
    student_memory: Tensor
    teacher_memory: Tensor
    log_normalisers: Tensor

    def __init__(
        self,
        pair: Pair,
        *,
        student_layer: str,
        teacher_layer: str,
        embedding_size: int,
        negatives: int,
        temperature: float,
        momentum: float,
    ) -> None:
        super().__init__()
        self.student_layers, self.teacher_layers = one_layer_each(pair, student_layer, teacher_layer)
        examples = len(pair.example_ids)
        if examples < 2:
            raise UserError(f"crd needs 2 examples or more, got {examples}")
        self.negatives = int(positive("negatives", negatives))
        self.temperature = positive("temperature", temperature)
        self.momentum = fraction("momentum", momentum)
        self.student_head = nn.Linear(_width(pair.student, "student", student_layer), embedding_size)
        self.teacher_head = nn.Linear(_width(pair.teacher, "teacher", teacher_layer), embedding_size)
        self.register_buffer("example_ids", pair.example_ids)
        for name in ("student_memory", "teacher_memory"):
            self.register_buffer(name, F.normalize(torch.randn(examples, embedding_size), dim=1))
        self.register_buffer("log_normalisers", torch.full((2,), torch.nan))

    def forward(self, student: Signals, teacher: Signals, batch: Batch) -> Tensor:
        (own,), (taught,) = self.student_layers, self.teacher_layers
        student_embedding = embed(embeddings(student, own), self.student_head)
        teacher_embedding = embed(embeddings(teacher, taught).detach(), self.teacher_head)
        rows = torch.searchsorted(self.example_ids, batch.ids)
        partners = draw_partners(rows, len(self.student_memory), self.negatives)
        scores = (
            self._scores(student_embedding, self.teacher_memory, partners),
            self._scores(teacher_embedding, self.student_memory, partners),
        )
        self._remember(rows, student_embedding, teacher_embedding, scores)
        losses = [contrast(one, z) for one, z in zip(scores, self.log_normalisers, strict=True)]
        return torch.stack(losses).sum()

    def _scores(self, embedding: Tensor, memory: Tensor, partners: Tensor) -> Tensor:
        return scores(embedding, memory, partners, temperature=self.temperature)

    @torch.no_grad()
    def _remember(self, rows: Tensor, student: Tensor, teacher: Tensor, scores: tuple[Tensor, Tensor]) -> None:
        """Moves this batch's memories. New tensors, since the backward pass still needs the old ones."""
        measured = torch.stack([one.logsumexp(dim=(0, 1)) - log(one.numel()) for one in scores])
        unset = self.log_normalisers.isnan()
        self.log_normalisers = torch.where(unset, measured.to(self.log_normalisers), self.log_normalisers)
        self.student_memory = moved(self.student_memory, rows, student, momentum=self.momentum)
        self.teacher_memory = moved(self.teacher_memory, rows, teacher, momentum=self.momentum)


@in_float32
def embed(features: Tensor, head: nn.Linear) -> Tensor:
    """Directions (B, E) of features (B, D)."""
    return F.normalize(head(features), dim=1)


@in_float32
def scores(embedding: Tensor, memory: Tensor, partners: Tensor, *, temperature: float) -> Tensor:
    """Inner products of embeddings (B, E) with their partners' memories, over the temperature: (B, 1 + N).

    One product with the whole memory (M, E), from which the partners are picked: B * M numbers. Picking
    first would make B * N * E.
    """
    return (embedding @ memory.T).gather(1, partners) / temperature


def draw_partners(rows: Tensor, examples: int, negatives: int) -> Tensor:
    """Each example's own row of the memory, then `negatives` others, uniformly with replacement: (B, 1 + N)."""
    others = torch.randint(examples - 1, (len(rows), negatives), device=rows.device)
    return torch.cat([rows[:, None], others + (others >= rows[:, None])], dim=1)


def moved(memory: Tensor, rows: Tensor, embedding: Tensor, *, momentum: float) -> Tensor:
    """The memory (M, E) with some rows (B,) moved towards the embeddings (B, E), at length 1."""
    mixed = momentum * memory[rows] + (1 - momentum) * embedding.to(memory.dtype)
    return memory.index_copy(0, rows, F.normalize(mixed, dim=1))


def _width(signals: Signals, role: str, layer: str) -> int:
    return feature(signals, role, layer)[0].numel()
