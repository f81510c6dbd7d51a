"""Where a data set lies while networks are trained: decoded on their device, or where it is. Decided here alone."""

from __future__ import annotations

from dataclasses import replace
from math import prod

import torch
from torch import Tensor

from kdrun.data import Room
from kdrun.data.split import Part, Splits
from kdrun.data.streaming import READY_BYTES, Loader
from kdrun.machine import available_bytes, cpus


def place(splits: Splits, device: torch.device, room: Room) -> Splits:
    """The same parts where training takes them from; labels and ids always on the device.

    Images are decoded and moved to the device once if all of them fit; otherwise they stay where they are, and a loader
    brings those of each batch. A tensor that is on the device already stays there, however large.
    Raises UserError naming an image that is damaged, as far as it has been looked at.
    """
    parts = splits.parts
    fits = splits.image_bytes <= room.memory_share * available_bytes(device)
    undecoded = any(not isinstance(part.images, Tensor) for part in parts)
    loader = Loader(device, room.loader_workers if undecoded else 0)  # without processes a tensor is not sent around
    train, validation, test = (_placed(part, device, None if fits else loader) for part in parts)
    return Splits(train, validation, test, splits.class_names)


def _placed(part: Part, device: torch.device, loader: Loader | None) -> Part:
    here = replace(part, labels=part.labels.to(device), ids=part.ids.to(device))
    images = part.images
    if isinstance(images, Tensor):
        if loader is None or images.device.type == device.type:
            return replace(here, images=images.to(device))
        return replace(here, loader=loader)
    if loader is not None:
        images.check()  # now, and not in the middle of an epoch
        return replace(here, loader=loader)
    pixels = torch.empty(images.shape, dtype=torch.uint8, device=device)
    at_once = max(1, READY_BYTES // prod(images.shape[1:]))
    for begin in range(0, len(images), at_once):
        rows = slice(begin, begin + at_once)
        pixels[rows] = images[rows].decoded(threads=cpus()).to(device)
    return replace(here, images=pixels)
