"""Several networks that answer as one."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from kdrun.models.taps import Tap

Mean = Literal["arithmetic", "geometric"]


class Ensemble(nn.Module):
    """The mean of the softened probabilities of its members.

    Its logits z are such that softmax(z / tau) is that mean:

        arithmetic    z = tau * log(mean_m softmax(z_m / tau))
        geometric     z = mean_m z_m, up to normalisation and for every tau

    networks: at least one; each maps inputs to logits (B, K). tau: temperature > 0 of the arithmetic mean.
    It names no layers: its members' features need not have anything to do with each other.

    Source: Hinton, Vinyals, Dean 2015, arXiv:1503.02531, section 2 (either mean, as soft targets).
    """

    layers: Mapping[str, Tap] = {}

    def __init__(self, networks: Sequence[nn.Module], *, mean: Mean, tau: float | None = None) -> None:
        super().__init__()
        if mean == "arithmetic" and not (tau is not None and tau > 0):
            raise ValueError(f"an arithmetic mean is taken at a temperature > 0, got {tau}")
        self.members = nn.ModuleList(networks)
        self._tau = tau if mean == "arithmetic" else None

    def forward(self, inputs: Tensor) -> Tensor:
        logits = torch.stack([member(inputs).float() for member in self.members])  # (M, B, K)
        if self._tau is None:
            return logits.mean(0)
        return self._tau * ((logits / self._tau).log_softmax(-1).logsumexp(0) - math.log(len(self.members)))

    def own_state(self) -> dict[str, Tensor]:
        return {}
