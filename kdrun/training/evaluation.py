"""What a network says of a part of the data, whole."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from kdrun.signals import Batch
from kdrun.training.precision import autocast


def logits_of(network: nn.Module, batches: Iterable[Batch], device: torch.device, precision: str) -> Tensor:
    """Logits (N, K) in float32 on the device, in evaluation mode, in the order of the batches."""
    network.eval()
    with torch.inference_mode(), autocast(device, precision):
        return torch.cat([network(batch.inputs).float() for batch in batches])
