"""Encoded images (JPEG, PNG, ...), and their pixels."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from kdrun.errors import UserError

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

_CHUNK = 32
# Below this size the interpreter lock is held for most of a decoding and threads cost more than they bring:
# 10,000 JPEG images of 32x32 took 0.65 s in one thread and 0.88 s in two (2 cores, Pillow 13, n = 1).
_BYTES_WORTH_A_THREAD = 8192


class Encoded(NamedTuple):
    """An image as it is stored: what to call it in an error, and its file or its bytes."""

    name: str
    source: Path | bytes


@dataclass(frozen=True)
class EncodedImages:
    """Images of one shape, encoded (`kdrun.data.Undecoded`).

    mode: L (grey) or RGB. image_size: as for `encoded`. pixels: (C, H, W). first: the image whose size all must have.
    """

    items: Sequence[Encoded]
    mode: str
    image_size: int | None
    pixels: tuple[int, int, int]
    first: str

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """(N, C, H, W)."""
        return len(self.items), *self.pixels

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, rows: Tensor | slice, /) -> EncodedImages:
        items = self.items[rows] if isinstance(rows, slice) else [self.items[row] for row in rows.tolist()]
        return replace(self, items=items)

    def decoded(self, *, threads: int) -> Tensor:
        """(N, C, H, W) uint8.

        Raises UserError naming the image that cannot be read, is not 8-bit, or has another size than the first.
        """
        import numpy as np
        import torch

        out = np.empty(self.shape, np.uint8)

        def fill(begin: int) -> None:
            for row, item in enumerate(self.items[begin : begin + _CHUNK], begin):
                out[row] = self._pixels(item)

        worth_it = self.items and _bytes(self.items[0]) >= _BYTES_WORTH_A_THREAD
        with ThreadPoolExecutor(threads if worth_it else 1) as pool:
            for _ in pool.map(fill, range(0, len(self.items), _CHUNK)):
                pass
        return torch.from_numpy(out)

    def check(self) -> None:
        """Raises UserError for an image whose header cannot be read, is not of 8 bits, or tells another size."""
        for item in self.items:
            with _opened(item) as image:
                self._check_size(item, image)

    def _pixels(self, item: Encoded) -> np.ndarray[Any, np.dtype[np.uint8]]:
        """(C, H, W)"""
        import numpy as np
        from PIL import Image, ImageOps

        with _opened(item) as image:
            self._check_size(item, image)
            image = image.convert(self.mode)
        if self.image_size is not None:
            image = ImageOps.fit(image, (self.image_size, self.image_size), Image.Resampling.BILINEAR)
        pixels = np.asarray(image)
        return pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)

    def _check_size(self, item: Encoded, image: Any) -> None:
        _, height, width = self.pixels
        if self.image_size is None and image.size != (width, height):
            raise UserError(
                f"{item.name} is {image.width}x{image.height} pixels but {self.first} is {width}x{height}; "
                f"say dataset.source.image_size={min(height, width)} to bring all to one size"
            )


def encoded(items: Sequence[Encoded], *, channels: int | None, image_size: int | None) -> EncodedImages:
    """Images whose mode and size the first of them decides; nothing is decoded yet.

    items: N >= 1. channels: 1 (grey) or 3 (RGB); None takes what the first image has.
    image_size: the shorter side is resized to it (bilinear) and the centre cut out, H = W = image_size;
        None leaves images as they are, then all must have one size.
    Raises UserError naming the first image where it cannot be read or is not 8-bit.
    """
    with _opened(items[0]) as image:
        if channels is None:
            channels = 1 if image.mode in ("1", "L", "LA") else 3
        height, width = (image.height, image.width) if image_size is None else (image_size, image_size)
    mode = {1: "L", 3: "RGB"}[channels]
    return EncodedImages(items, mode, image_size, (channels, height, width), items[0].name)


@contextmanager
def _opened(item: Encoded) -> Iterator[Any]:
    """An image, not yet decoded; UserError in place of whatever goes wrong with it meanwhile."""
    from PIL import Image

    try:
        with Image.open(BytesIO(item.source) if isinstance(item.source, bytes) else item.source) as image:
            if image.mode.startswith(("I", "F")):
                raise UserError(f"{item.name} has more than 8 bits a channel; convert it to an 8-bit image")
            yield image
    except (
        OSError,
        SyntaxError,
        ValueError,
        struct.error,
        zlib.error,
        Image.DecompressionBombError,
    ) as error:
        raise UserError(f"{item.name} cannot be read as an image; replace or remove it") from error


def _bytes(item: Encoded) -> int:
    if isinstance(item.source, bytes):
        return len(item.source)
    return item.source.stat().st_size if item.source.is_file() else 0
