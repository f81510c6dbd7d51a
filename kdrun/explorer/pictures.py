"""Test images as addresses that hold the picture itself."""

from __future__ import annotations

from base64 import b64encode
from io import BytesIO

from torch import Tensor

LARGEST = 96  # longer sides are scaled down to it
EXACT = 40  # up to this side a picture is kept pixel for pixel; a larger one as JPEG is a third of the size


def data_uri(image: Tensor) -> str:
    """A picture as `data:image/...`.

    image: (C, H, W) uint8; RGB where C is 3, otherwise the first channel in grey.
    """
    from PIL import Image

    pixels = image.permute(1, 2, 0).numpy() if len(image) == 3 else image[0].numpy()
    picture = Image.fromarray(pixels)
    picture.thumbnail((LARGEST, LARGEST))
    kind = "png" if max(picture.size) <= EXACT else "jpeg"
    content = BytesIO()
    picture.save(content, kind, **({"optimize": True} if kind == "png" else {"quality": 85}))
    return f"data:image/{kind};base64,{b64encode(content.getvalue()).decode()}"
