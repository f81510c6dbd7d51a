"""How much memory runs need while they train. Estimates, to cut groups by."""

from __future__ import annotations

import json
from functools import cache

import torch

from kdrun.experiment.build import network_of
from kdrun.experiment.lab import Lab
from kdrun.metrics.cost import parameters
from kdrun.runs.spec import RunSpec

# What a run holds while others take their steps: weights, gradients and an optimiser's two moments, in float32.
# Activations are freed before the next run's step.
_BYTES_PER_PARAMETER = 4 * 4


def training_bytes(spec: RunSpec, lab: Lab) -> int:
    """What a run holds for its whole training; its adapters are not counted."""
    data = lab.data(spec.dataset)
    return _BYTES_PER_PARAMETER * _parameters(json.dumps(spec.model), data.image_shape, data.num_classes)


@cache
def _parameters(model: str, image_shape: tuple[int, int, int], num_classes: int) -> int:
    with torch.device("meta"):
        return parameters(network_of(json.loads(model), image_shape, num_classes))
