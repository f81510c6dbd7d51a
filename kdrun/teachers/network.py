"""A trained network as teacher."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractContextManager
from typing import Any

import torch
from torch import nn

from kdrun.models import TappedNetwork
from kdrun.models.folding import folded
from kdrun.signals import Batch, Signals


class NetworkTeacher:
    """A copy of a network in evaluation mode, with its batch norms folded, asked without gradients.

    network: it is left as it is.
    layers: names of the features that the knowledge terms read.
    precision: the context in which it computes.
    """

    def __init__(self, network: nn.Module, layers: Iterable[str], precision: AbstractContextManager[object]) -> None:
        self._tapped = TappedNetwork(folded(network).requires_grad_(False), layers)
        self._precision = precision

    def signals(self, batch: Batch) -> Signals:
        with torch.inference_mode(), self._precision:
            said = self._tapped(batch.inputs)
        # Copies made out here may be kept for the students' gradients; the originals may not.
        return Signals(said.logits.clone(), {name: value.clone() for name, value in said.features.items()})

    def compile(self, **options: Any) -> None:
        """Has the network compiled from the next call on. options: of `torch.compile`."""
        self._tapped.compile(**options)
