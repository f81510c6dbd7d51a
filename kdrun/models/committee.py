"""A generalist and its specialists, that answer as one."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn


def closest(general: Tensor, own: Tensor, special: Tensor) -> Tensor:
    """The probabilities q that are closest to what a generalist (p) and a specialist (s) say.

        q = argmin KL(p || q) + KL(s || q)

    The specialist speaks of its classes S and, as one, of all others, D. The minimum is

        q_i = (p_i + s_i) / 2                  i in S
        q_i = p_i * (1 + s_D / p_D) / 2        i in D

    because the sum falls apart: the total of D is a mean like any class of S, and within D only p has a say. Where S
    is empty, q = p.

    general, own: (B, K) log p and log s. special: (B, K) bool, S of each example.
    Returns log q, (B, K).

    Source: Hinton, Vinyals, Dean 2015, arXiv:1503.02531, equation 5, for one active specialist. Several that overlap
    have no such solution; there q is found by gradient descent.
    """
    dustbins = [one.masked_fill(special, -math.inf).logsumexp(-1, keepdim=True) for one in (general, own)]
    inside = torch.logaddexp(general, own)
    outside = general + torch.logaddexp(*dustbins) - dustbins[0]
    return torch.where(special, inside, outside) - math.log(2)


class Committee(nn.Module):
    """A generalist, and for each input the one specialist whose set holds the generalist's most probable class.

    Its logits are log q of `closest`; log p where no specialist has the class. It computes all of its members.

    networks: the generalist, then `Specialist`s whose sets do not overlap.
    It names no layers.

    Source: Hinton, Vinyals, Dean 2015, arXiv:1503.02531, section 5.4 with n = 1 and sets that do not overlap.
    """

    def __init__(self, networks: Sequence[nn.Module]) -> None:
        super().__init__()
        self.generalist, *specialists = networks
        self.specialists = nn.ModuleList(specialists)

    @property
    def sets(self) -> Tensor:
        return torch.stack([specialist.get_buffer("special") for specialist in self.specialists])

    def forward(self, inputs: Tensor) -> Tensor:
        general = self.generalist(inputs).float().log_softmax(-1)  # (B, K)
        said = torch.stack([specialist(inputs).float().log_softmax(-1) for specialist in self.specialists])
        sets = self.sets.expand(-1, general.shape[-1])  # (M, K)
        first = general.argmax(-1)  # (B,)
        active = sets.int().argmax(0)[first]  # (B,) who has that class; 0 where nobody does
        special = sets[active] & sets[active, first][:, None]
        return closest(general, said[active, torch.arange(len(active), device=active.device)], special)

    def own_state(self) -> dict[str, Tensor]:
        return {}
