"""Folders of small pictures."""

from __future__ import annotations

from pathlib import Path

import torch
from PIL import Image

SIZE = 8


def photos(folder: Path, *, each: int = 40, classes: tuple[str, ...] = ("cats", "dogs")) -> Path:
    """`folder`, with so many noisy 8x8 pictures of each class, which is a tone."""
    generator = torch.Generator().manual_seed(3)
    for number, name in enumerate(classes):
        (folder / name).mkdir(parents=True)
        for picture in range(each):
            pixels = torch.randint(256, (SIZE, SIZE, 3), generator=generator) // 2 + 100 * number
            Image.fromarray(pixels.to(torch.uint8).numpy()).save(folder / name / f"{picture}.png")
    return folder


def cut_off(picture: Path) -> Path:
    """The picture with its header, and less than its pixels."""
    picture.write_bytes(picture.read_bytes()[:-60])
    return picture


def chosen(folder: Path) -> tuple[str, ...]:
    """The overrides that choose a folder of `photos` as the data set."""
    return (
        "dataset=image_folder",
        f"dataset.source.folder={folder}",
        f"dataset.source.image_size={SIZE}",
        "dataset.test_size=20",
        "dataset.validation_size=10",
    )
