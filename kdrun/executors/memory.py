"""How much memory runs need while they train, and how much there is. Estimates, to cut groups by."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import torch

from kdrun.experiment.build import network_of
from kdrun.experiment.lab import Lab
from kdrun.metrics.cost import parameters
from kdrun.runs.spec import RunSpec

# What a run holds while others take their steps: weights, gradients and an optimiser's two moments, in float32.
# Activations are freed before the next run's step.
_BYTES_PER_PARAMETER = 4 * 4

_MEMINFO = Path("/proc/meminfo")
_CGROUP_LIMIT = Path("/sys/fs/cgroup/memory.max")


def training_bytes(spec: RunSpec, lab: Lab) -> int:
    """What a run holds for its whole training; its adapters are not counted."""
    data = lab.data(spec.dataset)
    return _BYTES_PER_PARAMETER * _parameters(json.dumps(spec.model), data.image_shape, data.num_classes)


def available_bytes(device: torch.device) -> int:
    """What can still be taken: on a GPU what is free there, else of the machine, or the container's limit if lower."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    return min(_limits(), default=sys.maxsize)


@cache
def _parameters(model: str, image_shape: tuple[int, int, int], num_classes: int) -> int:
    with torch.device("meta"):
        return parameters(network_of(json.loads(model), image_shape, num_classes))


def _limits() -> Iterator[int]:
    if _MEMINFO.is_file():
        lines = _MEMINFO.read_text(encoding="ascii").splitlines()
        yield from (int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:"))
    elif hasattr(os, "sysconf"):
        yield os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if _CGROUP_LIMIT.is_file() and (limit := _CGROUP_LIMIT.read_text(encoding="ascii").strip()) != "max":
        yield int(limit)
