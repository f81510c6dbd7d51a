"""Adapters: trained maps from the student's features to the teacher's shapes, thrown away after training."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from kdrun.errors import UserError


def regressor(source: torch.Size, target: torch.Size) -> nn.Module:
    """Convolution, batch normalisation and ReLU from maps of shape `source` to maps of shape `target`.

    source, target: (B, C, H, W), or (B, D) for vectors, which get one linear layer; B is not looked at.
    Returns a module from (B, *source[1:]) to (B, *target[1:]).
    Raises UserError where no such layer exists, see `resampling`.
    """
    if len(source) == len(target) == 2:
        return nn.Linear(source[1], target[1])
    return nn.Sequential(*connector(source, target), nn.ReLU())


def connector(source: torch.Size, target: torch.Size) -> nn.Sequential:
    """As `regressor`, for maps alone and without the ReLU, so that negative targets can be met."""
    return nn.Sequential(resampling(source, target), Norm(target[1]))


def resampling(source: torch.Size, target: torch.Size) -> nn.Module:
    """One convolution without bias, its kernel taken from the two sizes.

    1x1 where they are equal, 3x3 with stride 2 where the source is twice as large, transposed 4x4 with
    stride 2 where it is half as large. Otherwise, with n = larger // smaller, stride n and the kernel
    larger - (smaller - 1) * n, which gives the target's size exactly and sees every pixel.

    source, target: (B, C, H, W).
    Raises UserError where one of them is no map, or where one dimension grows and the other shrinks.
    """
    if len(source) != 4 or len(target) != 4:
        raise UserError(f"no adapter from {_text(source)} to {_text(target)}: choose two maps or two vectors")
    before, after = tuple(source[2:]), tuple(target[2:])
    if all(a >= b for a, b in zip(before, after, strict=True)):
        kernel, stride, padding = _geometry(before, after, twice=3)
        return nn.Conv2d(source[1], target[1], kernel, stride, padding, bias=False)
    if all(a <= b for a, b in zip(before, after, strict=True)):
        kernel, stride, padding = _geometry(after, before, twice=4)
        return nn.ConvTranspose2d(source[1], target[1], kernel, stride, padding, bias=False)
    raise UserError(
        f"no adapter from {_text(source)} to {_text(target)}: one side grows, one shrinks; choose other layers"
    )


class Norm(nn.Module):
    """Batch normalisation of maps that also takes a single value per channel (a last batch of one).

    Such a value has no variance; it is normalised by the running statistics, and leaves them as they are.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(channels)

    def forward(self, value: Tensor) -> Tensor:
        if value.numel() > value.shape[1]:
            normalised: Tensor = self.norm(value)
            return normalised
        norm = self.norm
        return F.batch_norm(value, norm.running_mean, norm.running_var, norm.weight, norm.bias, eps=norm.eps)


def _geometry(
    larger: tuple[int, ...], smaller: tuple[int, ...], *, twice: int
) -> tuple[tuple[int, int], tuple[int, int], tuple[int, int]]:
    """(kernel, stride, padding), each (height, width); `twice`: the kernel for a factor of exactly two."""
    sides = [
        (twice, 2, 1) if a == 2 * b else (a - (b - 1) * (a // b), a // b, 0)
        for a, b in zip(larger, smaller, strict=True)
    ]
    (kernel_h, stride_h, pad_h), (kernel_w, stride_w, pad_w) = sides
    return (kernel_h, kernel_w), (stride_h, stride_w), (pad_h, pad_w)


def _text(shape: torch.Size) -> str:
    return " x ".join(map(str, shape[1:]))
