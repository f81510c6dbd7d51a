"""Data: where examples come from, how they are split, and batches of them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from torch import Tensor


class Undecoded(Protocol):
    """Images (N, C, H, W) uint8 before they are decoded; a few of them are small, and travel to other processes."""

    @property
    def shape(self) -> tuple[int, int, int, int]: ...

    def __len__(self) -> int: ...

    def __getitem__(self, rows: Tensor | slice, /) -> Undecoded:
        """Those alone, still undecoded. rows: a slice, or int64 indices on the CPU."""
        ...

    def decoded(self, *, threads: int) -> Tensor:
        """(N, C, H, W) uint8 on the CPU. threads: at most. Raises UserError naming the image that is damaged."""
        ...

    def check(self) -> None:
        """Raises UserError naming the first image that is damaged, as far as can be seen without decoding."""
        ...


@dataclass(frozen=True)
class Images:
    """Images and labels as they are stored: images (N, C, H, W) uint8, undecoded or not; labels (N,) int64."""

    images: Tensor | Undecoded
    labels: Tensor


@dataclass(frozen=True)
class RawData:
    """What a source holds: `test` is None where the set has no test part, class k is `class_names[k]`."""

    train: Images
    test: Images | None
    class_names: tuple[str, ...]


@dataclass(frozen=True)
class Room:
    """What data may take for themselves; it changes no result.

    memory_share: in (0, 1], of the memory that is available where networks are trained, for decoded images.
    loader_workers: >= 0, processes that decode images which do not fit into it.
    """

    memory_share: float
    loader_workers: int

    def divided(self, processes: int, devices: int) -> Room:
        """A part for each of several processes, that share so many devices."""
        on_one_device = math.ceil(processes / devices)
        return Room(self.memory_share / on_one_device, math.ceil(self.loader_workers / processes))


class Source(Protocol):
    """Where a data set comes from. Built from the `source` node of a file in conf/dataset.

    Its methods raise UserError naming the folder or file that is missing or damaged and what to do.
    A class may also have

    places: names of its parameters that only say where the files lie, such as `places = ("folder",)`. They are no part
        of a run's identity, so that data can be moved; `identity` must then cover all that the files hold. A class
        without this attribute is looked at by kdrun: each text that names a file or folder (absolute, or under the data
        root) is identified by the content of what it names, all of which every command reads.
    examples(data_root) -> int: how many examples its training tensor has, found without loading it, before anything is
        taken off for testing or validation; called after `identity`. With it, a `train_size` of the whole training part
        and none are one run.
    """

    def identity(self, data_root: Path) -> Mapping[str, str | int]:
        """What, beside the configuration, identifies the content: a digest of the files, which are not decoded."""
        ...

    def load(self, data_root: Path) -> RawData:
        """All examples."""
        ...


__all__ = ["Images", "RawData", "Room", "Source", "Undecoded"]
