"""Networks that are trained side by side in one run."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy

import torch
from torch import Tensor, nn


class Cohort(nn.Module):
    """Networks with the same inputs and classes, that may be of different architectures; together they are an ensemble.

        z = mean_m z_m    the geometric mean of their softened probabilities, up to normalisation and for every tau

    networks: at least one; each maps inputs to logits (B, K).
    """

    def __init__(self, networks: Sequence[nn.Module]) -> None:
        super().__init__()
        self.members = nn.ModuleList(networks)

    def forward(self, inputs: Tensor) -> Tensor:
        return torch.stack([member(inputs).float() for member in self.members]).mean(0)


def member(networks: Sequence[nn.Module], *, peer: int) -> nn.Module:
    """One network of a cohort, as a copy of its own.

    networks: the cohort alone, as a run that is made of other runs' networks is given them. peer: which, from 1.
    """
    (cohort,) = networks
    return deepcopy(cohort.get_submodule(f"members.{peer - 1}"))
