"""Pictures within a page."""

from __future__ import annotations

from base64 import b64decode
from io import BytesIO

import numpy as np
import pytest
import torch
from PIL import Image

from kdrun.explorer.pictures import data_uri


def _opened(uri: str) -> Image.Image:
    return Image.open(BytesIO(b64decode(uri.partition(",")[2])))


@pytest.mark.parametrize(("channels", "mode"), [(1, "L"), (3, "RGB"), (4, "L")])
def test_a_small_picture_is_kept_pixel_for_pixel(channels: int, mode: str) -> None:
    image = torch.randint(256, (channels, 28, 28), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    uri = data_uri(image)
    assert uri.startswith("data:image/png;base64,")
    shown = _opened(uri)
    assert shown.mode == mode
    expected = image.permute(1, 2, 0) if channels == 3 else image[0]
    assert np.array_equal(np.asarray(shown), expected.numpy())


def test_a_large_picture_is_made_smaller() -> None:
    uri = data_uri(torch.randint(256, (3, 224, 224), dtype=torch.uint8))
    assert uri.startswith("data:image/jpeg;base64,")
    assert _opened(uri).size == (96, 96)
