"""Augmentation as a finite family of numbered views, applied to a whole batch by tensor operations."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from kdrun.errors import UserError


@dataclass(frozen=True)
class Crop:
    """Shifts of up to `padding` pixels in each direction over a border of zeros, with or without mirroring.

    padding: >= 0; 0 shifts nothing.
    flip: whether each shifted image also comes mirrored from left to right.
    """

    padding: int
    flip: bool

    def __post_init__(self) -> None:
        if self.padding < 0:
            raise UserError(f"padding must be >= 0, got {self.padding}; 0 shifts nothing")

    @property
    def shifts(self) -> int:
        """Number of shifts: (2 * padding + 1)^2."""
        return (2 * self.padding + 1) ** 2

    @property
    def count(self) -> int:
        """Number of views; a view is a number in [0, count), and view 0 is the plain image."""
        return self.shifts * (2 if self.flip else 1)


def apply(images: Tensor, views: Tensor, family: Crop) -> Tensor:
    """Shows each image of a batch in its view.

    images: (B, C, H, W) uint8. views: (B,) int64 in [0, family.count), on the same device.
    View v takes the window number (v + middle) modulo the number of shifts, where windows of the padded image
    count row by row from its upper left corner and `middle` is the window of the plain image; views from
    `family.shifts` on are then mirrored.
    Returns (B, C, H, W) uint8.
    """
    if family.padding:
        images = _shifted(images, views, family)
    if family.flip:
        mirrored = views >= family.shifts
        images = torch.where(mirrored[:, None, None, None], images.flip(3), images)
    return images


def _shifted(images: Tensor, views: Tensor, family: Crop) -> Tensor:
    height, width = images.shape[2:]
    windows_per_row = 2 * family.padding + 1
    window = (views + family.shifts // 2) % family.shifts
    padded = F.pad(images, (family.padding,) * 4)
    windows = padded.unfold(2, height, 1).unfold(3, width, 1)  # (B, C, 2p+1, 2p+1, H, W), no copy
    examples = torch.arange(len(images), device=images.device)
    shifted: Tensor = windows[examples, :, window // windows_per_row, window % windows_per_row]
    return shifted
