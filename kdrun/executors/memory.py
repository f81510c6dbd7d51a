"""How much memory there is, to cut groups by."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import torch

_MEMINFO = Path("/proc/meminfo")
_CGROUP_LIMIT = Path("/sys/fs/cgroup/memory.max")


def available_bytes(device: torch.device) -> int:
    """What can still be taken: on a GPU what is free there, else of the machine, or the container's limit if lower."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    return min(_limits(), default=sys.maxsize)


def _limits() -> Iterator[int]:
    if _MEMINFO.is_file():
        lines = _MEMINFO.read_text(encoding="ascii").splitlines()
        yield from (int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:"))
    elif hasattr(os, "sysconf"):
        yield os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if _CGROUP_LIMIT.is_file() and (limit := _CGROUP_LIMIT.read_text(encoding="ascii").strip()) != "max":
        yield int(limit)
