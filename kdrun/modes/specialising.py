"""A specialist learns from labels; which of the classes outside its set an example has, it is not asked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from kdrun.knowledge.precision import in_float32
from kdrun.models import Specialised, TappedNetwork
from kdrun.modes.loss import Term
from kdrun.signals import Batch, Signals


@in_float32
def grouped_cross_entropy(logits: Tensor, labels: Tensor, special: Tensor) -> Tensor:
    """Cross-entropy over the special classes and the dustbin, which is all others as one.

        L = -log p_y                           y special
        L = -log sum_{i not special} p_i       otherwise

    logits: (B, K). labels: (B,). special: (K,) bool, or (1,) for all or none. Returns a scalar (), the mean over
    the batch.
    Source: Hinton, Vinyals, Dean 2015, arXiv:1503.02531, section 5.1.
    """
    special = special.expand(logits.shape[-1])
    dustbin = logits.masked_fill(special, -float("inf")).logsumexp(-1)
    own = logits.gather(1, labels[:, None]).squeeze(1)
    return (logits.logsumexp(-1) - own.where(special[labels], dustbin)).mean()


class Specialising:
    """One network with a set of its own under the grouped cross-entropy. Nobody is asked.

    student: the network to train. terms: none. What else modes are given (see `kdrun.modes.offline`) it does not need.
    """

    teacher_layers = None
    part_names = ("loss", "ce")

    def __init__(self, student: nn.Module, terms: Mapping[str, Term], **_: Any) -> None:
        if not isinstance(student, Specialised):
            raise TypeError(f"{type(student).__name__} has no set of classes of its own")
        self.student, self.network, self._specialist = student, student, student
        self.trained: nn.Module = nn.ModuleDict({"student": student})
        self._tapped = TappedNetwork(student)

    def losses(self, batch: Batch, teacher: Signals | None) -> tuple[Tensor, ...]:
        loss = grouped_cross_entropy(self._tapped(batch.inputs).logits, batch.labels, self._specialist.sets[0])
        return loss, loss

    def compile(self, **options: Any) -> None:
        self._tapped.compile(**options)
