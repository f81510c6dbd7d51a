from __future__ import annotations

import pytest
import torch
from torch import Tensor

from kdrun.data.views import Crop, apply
from kdrun.errors import UserError


def in_view(image: Tensor, view: int, family: Crop) -> Tensor:
    """One image, pixel by pixel: pixel (y, x) shows (y + dy, x + dx), zero outside; then the mirror."""
    channels, height, width = image.shape
    across = 2 * family.padding + 1
    middle = family.padding * across + family.padding
    window = (view % family.shifts + middle) % family.shifts
    dy, dx = window // across - family.padding, window % across - family.padding
    out = torch.zeros_like(image)
    for c in range(channels):
        for y in range(height):
            for x in range(width):
                if 0 <= y + dy < height and 0 <= x + dx < width:
                    out[c, y, width - 1 - x if view >= family.shifts else x] = image[c, y + dy, x + dx]
    return out


@pytest.mark.parametrize("family", [Crop(0, False), Crop(1, False), Crop(2, True), Crop(0, True)])
@pytest.mark.parametrize("channels", [1, 3])
def test_every_view_equals_the_loop_over_pixels(family: Crop, channels: int) -> None:
    images = torch.randint(
        1, 256, (family.count, channels, 4, 5), dtype=torch.uint8, generator=torch.Generator().manual_seed(0)
    )
    views = torch.arange(family.count)
    expected = torch.stack([in_view(image, view, family) for view, image in enumerate(images)])
    shown = apply(images, views, family)
    assert shown.dtype == torch.uint8
    assert torch.equal(shown, expected)


def test_view_0_is_the_plain_image() -> None:
    images = torch.randint(0, 256, (3, 1, 6, 6), dtype=torch.uint8)
    assert torch.equal(apply(images, torch.zeros(3).long(), Crop(2, True)), images)


def test_no_padding_and_no_flip_copies_nothing() -> None:
    images = torch.zeros(2, 1, 4, 4, dtype=torch.uint8)
    assert apply(images, torch.zeros(2).long(), Crop(0, False)) is images


def test_all_views_of_an_image_differ() -> None:
    family = Crop(4, True)
    image = torch.randint(1, 256, (1, 3, 12, 12), dtype=torch.uint8)
    shown = apply(image.expand(family.count, -1, -1, -1), torch.arange(family.count), family)
    assert len(shown.flatten(1).unique(dim=0)) == family.count == 162


def test_shifts_of_up_to_2_pixels_have_25_views() -> None:
    assert Crop(2, False).count == 25


def test_negative_padding_is_refused() -> None:
    with pytest.raises(UserError, match="padding must be >= 0, got -1"):
        Crop(-1, False)
