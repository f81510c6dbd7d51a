from __future__ import annotations

from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from kdrun.data.sources.decode import Encoded, encoded
from kdrun.errors import UserError


def png(pixels: np.ndarray) -> bytes:
    file = BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def noise(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, shape).astype(np.uint8)


def decode(items: list[Encoded], *, channels: int | None, image_size: int | None) -> torch.Tensor:
    images = encoded(items, channels=channels, image_size=image_size)
    out = images.decoded(threads=2)
    assert images.shape == out.shape
    return out


def test_colours_come_first_and_rows_stay_rows() -> None:
    pixels = noise(0, 4, 6, 3)
    out = decode([Encoded("a", png(pixels))], channels=3, image_size=None)
    assert np.array_equal(out[0].numpy(), pixels.transpose(2, 0, 1))


@pytest.mark.parametrize("size", [3, 64])
def test_many_images_keep_their_order(size: int) -> None:
    pictures = [noise(n, size, size, 3) for n in range(600)]
    items = [Encoded(str(n), png(pixels)) for n, pixels in enumerate(pictures)]
    out = decode(items, channels=3, image_size=None)
    assert out.dtype == torch.uint8
    assert np.array_equal(out.numpy(), np.stack(pictures).transpose(0, 3, 1, 2))


def test_without_a_number_of_channels_the_first_image_decides() -> None:
    grey, colour = Encoded("grey", png(noise(0, 4, 4))), Encoded("colour", png(noise(1, 4, 4, 3)))
    assert decode([grey, colour], channels=None, image_size=None).shape == (2, 1, 4, 4)
    assert decode([colour, grey], channels=None, image_size=None).shape == (2, 3, 4, 4)


def test_the_shorter_side_is_resized_and_the_centre_cut_out() -> None:
    pixels = np.zeros((8, 24), np.uint8)
    pixels[:, 8:16] = 200
    out = decode([Encoded("wide", png(pixels))], channels=1, image_size=4)
    assert out.shape == (1, 1, 4, 4)
    assert (out[0, 0, :, 1:3] == 200).all()


def test_an_image_of_the_wanted_size_is_left_as_it_is() -> None:
    pixels = noise(3, 5, 5)
    out = decode([Encoded("a", png(pixels))], channels=1, image_size=5)
    assert np.array_equal(out[0, 0].numpy(), pixels)


def test_files_are_read_like_bytes(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(png(noise(0, 4, 4)))
    from_file, from_bytes = (
        decode([Encoded("a", source)], channels=1, image_size=None) for source in (path, path.read_bytes())
    )
    assert torch.equal(from_file, from_bytes)


@pytest.mark.parametrize("content", [b"", b"not an image", png(noise(0, 40, 40, 3))[:-200]])
@pytest.mark.parametrize("channels", [None, 3])
def test_an_unreadable_image_is_named(content: bytes, channels: int | None) -> None:
    items = [Encoded("good.png", png(noise(0, 40, 40, 3))), Encoded("bad.png", content)]
    for order in (items, items[::-1]):
        with pytest.raises(UserError, match=r"^bad.png cannot be read as an image"):
            decode(order, channels=channels, image_size=None)


def test_images_of_two_sizes_are_refused_and_both_are_named() -> None:
    items = [Encoded("a.png", png(noise(0, 4, 6))), Encoded("b.png", png(noise(0, 5, 6)))]
    with pytest.raises(UserError, match=r"b.png is 6x5 pixels but a.png is 6x4; .*image_size=4"):
        decode(items, channels=1, image_size=None)


def test_a_selection_is_decoded_alone() -> None:
    pictures = [noise(n, 4, 4) for n in range(5)]
    images = encoded([Encoded(str(n), png(one)) for n, one in enumerate(pictures)], channels=1, image_size=None)
    chosen = images[torch.tensor([3, 0, 3])]
    assert chosen.shape == (3, 1, 4, 4)
    assert np.array_equal(chosen.decoded(threads=1).numpy()[:, 0], np.stack([pictures[n] for n in (3, 0, 3)]))
    assert np.array_equal(images[1:3].decoded(threads=1).numpy()[:, 0], np.stack(pictures[1:3]))
    assert images[5:].decoded(threads=1).shape == (0, 1, 4, 4)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"no image", "bad.png cannot be read"),
        (png(noise(0, 5, 6)), r"bad.png is 6x5 pixels but good.png is 4x4"),
        (png(np.full((4, 4), 40_000, np.uint16)), "bad.png has more than 8 bits"),
    ],
)
def test_what_a_header_tells_is_known_without_decoding(content: bytes, told: str) -> None:
    items = [Encoded("good.png", png(noise(1, 4, 4))), Encoded("bad.png", content)]
    images = encoded(items, channels=1, image_size=None)
    with pytest.raises(UserError, match=told):
        images.check()


def test_images_of_more_than_8_bits_are_refused() -> None:
    item = Encoded("deep.png", png(np.full((4, 4), 40_000, np.uint16)))
    with pytest.raises(UserError, match=r"^deep.png has more than 8 bits"):
        decode([item], channels=1, image_size=None)
