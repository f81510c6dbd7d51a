"""What is left of a teacher when part of what it knows is taken away: controls for where a gain comes from."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch.nn import functional

from kdrun.signals import Batch, Signals
from kdrun.teachers import Teacher

# A logit so far above 0 that its class has probability 1 in float32 at temperatures up to 100.
CERTAIN = 1e4


class ClassMeans:
    """Gives every example of a class the teacher's mean probabilities for that class: no example is special.

    teacher: the teacher to be averaged.
    examples: the student's training examples, unaugmented, over which it is averaged.
    tau: temperature > 0 at which its probabilities are taken; softmax(logits / tau) gives the means again.

    Source: the control of Yuan et al. 2020, arXiv:1909.11723 (is it more than smoothing?), with the classes' means
    in place of a uniform distribution.
    """

    reads_labels = True

    def __init__(self, teacher: Teacher, examples: Iterable[Batch], *, tau: float) -> None:
        sums: torch.Tensor | None = None
        for batch in examples:
            probs = functional.softmax(teacher.signals(batch).logits.float() / tau, dim=1)
            sums = probs.new_zeros(probs.shape[1], probs.shape[1]) if sums is None else sums
            sums = sums.index_add(0, batch.labels, probs)  # (K, K): row k sums over the examples of class k
        if sums is None:
            raise ValueError("no examples to average the teacher over")
        means = sums / sums.sum(dim=1, keepdim=True).clamp_min(torch.finfo(sums.dtype).tiny)
        self._logits = tau * means.clamp_min(torch.finfo(sums.dtype).tiny).log()

    def signals(self, batch: Batch) -> Signals:
        return Signals(self._logits[batch.labels])


class Argmax:
    """Gives the class that the teacher finds likeliest, with certainty: its labels without its doubts.

    teacher: the teacher whose classes are given. examples: not looked at.
    """

    def __init__(self, teacher: Teacher, examples: Iterable[Batch]) -> None:
        self._teacher = teacher

    def signals(self, batch: Batch) -> Signals:
        logits = self._teacher.signals(batch).logits
        return Signals(CERTAIN * functional.one_hot(logits.argmax(dim=1), logits.shape[1]).float())
