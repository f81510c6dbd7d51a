"""Encoded images (JPEG, PNG, ...) to one uint8 tensor."""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from kdrun.errors import UserError

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

_CHUNK = 256
# Below this size the interpreter lock is held for most of a decoding and threads cost more than they bring:
# 10,000 JPEG images of 32x32 took 0.65 s in one thread and 0.88 s in two (2 cores, Pillow 13, n = 1).
_BYTES_WORTH_A_THREAD = 8192


class Encoded(NamedTuple):
    """An image as it is stored: what to call it in an error, and its file or its bytes."""

    name: str
    source: Path | bytes


def decode(items: Sequence[Encoded], *, channels: int | None, image_size: int | None) -> Tensor:
    """Decodes images to (N, C, H, W) uint8.

    items: N >= 1. channels: 1 (grey) or 3 (RGB); None takes what the first image has.
    image_size: the shorter side is resized to it (bilinear) and the centre cut out, H = W = image_size;
        None leaves images as they are, then all must have one size.
    Raises UserError naming the image that cannot be read, is not 8-bit, or has another size than the first.
    """
    import numpy as np
    import torch

    mode = _mode(items[0]) if channels is None else {1: "L", 3: "RGB"}[channels]
    example = _pixels(items[0], mode, image_size)
    out = np.empty((len(items), *example.shape), np.uint8)

    def fill(begin: int) -> None:
        for row, item in enumerate(items[begin : begin + _CHUNK], begin):
            pixels = _pixels(item, mode, image_size)
            if pixels.shape != example.shape:
                raise _other_size(item, pixels, items[0], example)
            out[row] = pixels

    with ThreadPoolExecutor(_threads(items[0])) as pool:
        for _ in pool.map(fill, range(0, len(items), _CHUNK)):
            pass
    return torch.from_numpy(out)


def _open(item: Encoded) -> Any:
    from PIL import Image

    return Image.open(BytesIO(item.source) if isinstance(item.source, bytes) else item.source)


def _mode(item: Encoded) -> str:
    try:
        with _open(item) as image:
            return "L" if image.mode in ("1", "L", "LA") else "RGB"
    except (OSError, ValueError) as error:
        raise _unreadable(item) from error


def _pixels(item: Encoded, mode: str, image_size: int | None) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """(C, H, W)"""
    import numpy as np
    from PIL import Image, ImageOps

    try:
        with _open(item) as image:
            if image.mode.startswith(("I", "F")):
                raise UserError(f"{item.name} has more than 8 bits a channel; convert it to an 8-bit image")
            image = image.convert(mode)
    except (
        OSError,
        SyntaxError,
        ValueError,
        struct.error,
        zlib.error,
        Image.DecompressionBombError,
    ) as error:
        raise _unreadable(item) from error
    if image_size is not None:
        image = ImageOps.fit(image, (image_size, image_size), Image.Resampling.BILINEAR)
    pixels = np.asarray(image)
    return pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)


def _threads(item: Encoded) -> int:
    size = len(item.source) if isinstance(item.source, bytes) else item.source.stat().st_size
    return os.cpu_count() or 1 if size >= _BYTES_WORTH_A_THREAD else 1


def _unreadable(item: Encoded) -> UserError:
    return UserError(f"{item.name} cannot be read as an image; replace or remove it")


def _other_size(item: Encoded, pixels: Any, first: Encoded, example: Any) -> UserError:
    (height, width), (first_height, first_width) = pixels.shape[1:], example.shape[1:]
    return UserError(
        f"{item.name} is {width}x{height} pixels but {first.name} is {first_width}x{first_height}; "
        f"say dataset.source.image_size={min(first_height, first_width)} to bring all to one size"
    )
