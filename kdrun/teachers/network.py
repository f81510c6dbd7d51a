"""A trained network as teacher."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractContextManager

import torch
from torch import nn

from kdrun.models import TappedNetwork
from kdrun.signals import Batch, Signals


class NetworkTeacher:
    """A network in evaluation mode, asked without gradients.

    layers: names of the features that the knowledge terms read.
    precision: the context in which it computes.
    """

    def __init__(self, network: nn.Module, layers: Iterable[str], precision: AbstractContextManager[object]) -> None:
        self._tapped = TappedNetwork(network.eval().requires_grad_(False), layers)
        self._precision = precision

    def signals(self, batch: Batch) -> Signals:
        with torch.no_grad(), self._precision:
            return self._tapped(batch.inputs)

    def close(self) -> None:
        """Leaves the network as it was, for the next who asks it."""
        self._tapped.close()
