"""torch.compile, by choice. Light to import: worker processes are told of it before they import torch."""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol


class Compilable(Protocol):
    """Whatever asks networks again and again."""

    def compile(self, **options: Any) -> None:
        """Has its networks compiled from the next call on. options: of `torch.compile`."""
        ...


class Compiling(NamedTuple):
    """Whether the networks of a training step are compiled; what is measured is computed as it is written.

    wanted: compile at all. cuda_graphs: record the kernels as CUDA graphs and replay them.
    """

    wanted: bool
    cuda_graphs: bool

    def apply(self, asking: Compilable) -> None:
        if self.wanted:
            asking.compile(mode="reduce-overhead" if self.cuda_graphs else "default")


AS_WRITTEN = Compiling(wanted=False, cuda_graphs=False)
