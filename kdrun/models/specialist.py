"""A network that tells a few confusable classes apart."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from copy import deepcopy

import torch
from torch import Tensor, nn

from kdrun.errors import UserError
from kdrun.models.confusable import confusable_sets
from kdrun.signals import Batch


class Specialist(nn.Module):
    """A copy of a generalist, to be trained on its own set S of classes; all others are one class to it, the dustbin.

    Its logits in use are such that softmax gives the classes of S and, summed, the dustbin:

        z_i                              i in S
        z_i + log((1 - s) / s)           i not in S

    s is the share of S in the training part. Half of what it is trained on is of S (see `kdrun.data.batches`), so
    the odds of the dustbin are too small by (1 - s) / s; in training they are left as they are.
    Until it settles every class is in S: it is the generalist.

    networks: the generalist alone; logits (B, K). cluster: number of its set, from 0. clusters: of sets, >= 2.

    Source: Hinton, Vinyals, Dean 2015, arXiv:1503.02531, sections 5.1 and 5.2. Deviation: the dustbin is no output
    of its own but the sum of the outputs of its classes, so that the specialist begins exactly as the generalist.
    """

    special: Tensor
    log_odds: Tensor

    def __init__(self, networks: Sequence[nn.Module], *, cluster: int, clusters: int) -> None:
        super().__init__()
        (generalist,) = networks
        self.network = deepcopy(generalist)
        self._cluster, self._clusters = cluster, clusters
        self.register_buffer("special", torch.ones(1, dtype=torch.bool), persistent=False)  # (K,) once settled
        self.register_buffer("log_odds", torch.zeros(()))

    @property
    def sets(self) -> Tensor:
        return self.special[None]

    def forward(self, inputs: Tensor) -> Tensor:
        logits: Tensor = self.network(inputs)
        return logits if self.training else torch.where(self.special, logits, logits.float() + self.log_odds)

    @torch.no_grad()
    def settle(self, batches: Iterable[Batch]) -> None:
        """Finds its set by what the generalist says of the training part.

        Raises UserError where no example, or every one, is of its set.
        """
        self.eval()
        said = [(self.network(batch.inputs).float().softmax(-1), batch.labels) for batch in batches]
        probs, labels = (torch.cat(column) for column in zip(*said, strict=True))
        self.special = confusable_sets(probs, self._clusters)[self._cluster].to(labels.device)
        share = self.special[labels].double().mean()
        if not 0 < share < 1:
            seen = "of no" if share else "only of"
            raise UserError(
                f"specialist {self._cluster + 1} of {self._clusters} would see examples {seen} other classes: the "
                "generalist's training part has too few classes; make teacher_train_size larger"
            )
        self.log_odds.copy_(torch.log((1 - share) / share))

    def get_extra_state(self) -> Tensor:
        """Its set: of a size that only the data say."""
        return self.special

    def set_extra_state(self, state: Tensor) -> None:
        self.special = state.to(self.special.device)

    def own_state(self) -> dict[str, Tensor]:
        return self.state_dict()
