"""What this machine has left to give."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import torch

_MEMINFO = Path("/proc/meminfo")
_CGROUP_LIMIT = Path("/sys/fs/cgroup/memory.max")
_MOST_SPARE_CPUS = 8  # a container may see CPUs that it may not use

# How torch words, in a RuntimeError of no class of its own, that there is no memory: on a CPU, and in cuBLAS.
_NO_MEMORY = ("DefaultCPUAllocator: can't allocate memory", "CUDA error: out of memory", "CUBLAS_STATUS_ALLOC_FAILED")


def available_bytes(device: torch.device) -> int:
    """What can still be taken: on a GPU what is free there, else of the machine, or the container's limit if lower."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    return min(_limits(), default=sys.maxsize)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that there was no memory left, of the device or of the machine."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(words in str(error) for words in _NO_MEMORY)


def is_device_lost(error: BaseException) -> bool:
    """Whether an error leaves this process without its device: every later call to it fails as well.

    So it is after an assertion in a kernel or an access outside of the GPU's memory.
    """
    kind = getattr(torch, "AcceleratorError", None)  # torch 2.6 does not have it
    return kind is not None and isinstance(error, kind) and not is_out_of_memory(error)


def free_memory() -> None:
    """Gives back what nothing refers to any more. An error refers to all that its frames did, until it is dropped."""
    gc.collect()
    if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        torch.cuda.empty_cache()


def cpus() -> int:
    """How many this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def spare_cpus() -> int:
    """How many processes may work beside this one: one for each other CPU, at least one and at most eight."""
    return max(1, min(cpus() - 1, _MOST_SPARE_CPUS))


def _limits() -> Iterator[int]:
    if _MEMINFO.is_file():
        lines = _MEMINFO.read_text(encoding="ascii").splitlines()
        yield from (int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:"))
    elif hasattr(os, "sysconf"):
        yield os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if _CGROUP_LIMIT.is_file() and (limit := _CGROUP_LIMIT.read_text(encoding="ascii").strip()) != "max":
        yield int(limit)
