"""The 8x8 digits that scikit-learn carries."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from kdrun.data import Images, RawData


@dataclass(frozen=True)
class Digits:
    """1,797 images (1, 8, 8) of ten digits, without a test part of their own.

    The 17 grey levels 0..16 are stretched to 0..255 and rounded.
    Source: Alpaydin and Kaynak 1998, "Optical recognition of handwritten digits", UCI repository.
    """

    places: ClassVar[tuple[str, ...]] = ()

    def identity(self, data_root: Path) -> Mapping[str, str | int]:
        return {}

    def examples(self, data_root: Path) -> int:
        return 1797

    def load(self, data_root: Path) -> RawData:
        import numpy as np
        import torch
        from sklearn.datasets import load_digits

        digits = load_digits()
        pixels = np.rint(digits.images * (255 / 16)).astype(np.uint8)
        images, labels = torch.from_numpy(pixels)[:, None], torch.from_numpy(digits.target).long()
        return RawData(Images(images, labels), None, tuple(str(digit) for digit in range(10)))
