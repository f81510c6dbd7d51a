"""Data: where examples come from, how they are split, and batches of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Images:
    """Images and labels as they are stored: images (N, C, H, W) uint8, labels (N,) int64."""

    images: Tensor
    labels: Tensor


@dataclass(frozen=True)
class RawData:
    """What a source holds: `test` is None where the set has no test part, class k is `class_names[k]`."""

    train: Images
    test: Images | None
    class_names: tuple[str, ...]


class Source(Protocol):
    """Where a data set comes from. Built from the `source` node of a file in conf/dataset.

    Both methods raise UserError naming the folder or file that is missing or damaged and what to do.
    """

    def identity(self, data_root: Path) -> Mapping[str, str | int]:
        """What, beside the configuration, identifies the content: a digest of the files, which are not decoded."""
        ...

    def load(self, data_root: Path) -> RawData:
        """All examples, decoded."""
        ...


__all__ = ["Images", "RawData", "Source"]
