"""From stored pixels to what networks take: float32 with about zero mean and unit deviation per channel."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from kdrun.data.split import Part
from kdrun.errors import UserError

_GREY_LEVEL = 1 / 255
_AT_ONCE = 256  # images; counts are whole numbers, so that it changes no result


@dataclass(frozen=True)
class Normalise:
    """Gives (pixel / 255 - mean) / std.

    mean, std: one number per channel, in units where white is 1; std > 0.
    Raises UserError when the lengths differ from each other or from the images' channels, or std <= 0.
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.mean) != len(self.std):
            raise UserError(
                f"dataset.mean has {len(self.mean)} numbers and dataset.std has {len(self.std)}; "
                "give one of each for every channel, or null for both to compute them"
            )
        if not all(std > 0 for std in self.std):
            raise UserError(f"dataset.std must be > 0, got {list(self.std)}")

    def __call__(self, images: Tensor) -> Tensor:
        """images: (B, C, H, W) uint8. Returns (B, C, H, W) float32."""
        if images.shape[1] != len(self.mean):
            raise UserError(
                f"dataset.mean has {len(self.mean)} numbers but the images have {images.shape[1]} channels; "
                "give one for every channel, or say dataset.mean=null dataset.std=null to compute them"
            )
        scale, shift = _scale_and_shift(self.mean, self.std, images.device)
        return images.float().mul_(scale).add_(shift)  # several times as fast as addcmul, which has to broadcast


def channel_statistics(part: Part) -> Normalise:
    """Mean and standard deviation of every channel over all pixels of a part.

    Computed from counts of the 256 grey levels, so it does not depend on the order of the examples. The
    deviation of a channel with a single grey level is given as one grey level, 1/255.
    """
    channels = part.images.shape[1]
    counts = torch.zeros(channels, 256, dtype=torch.int64, device=part.labels.device)
    for images in part.batches(torch.arange(len(part)), _AT_ONCE):
        counts += torch.stack([torch.bincount(one.flatten(), minlength=256) for one in images.unbind(1)])
    levels = torch.arange(256, dtype=torch.float64) / 255
    means, deviations = [], []
    for shares in (counts / counts.sum(dim=1, keepdim=True, dtype=torch.float64)).cpu():
        mean = (shares * levels).sum()
        means.append(mean.item())
        deviations.append(max((shares * (levels - mean).square()).sum().sqrt().item(), _GREY_LEVEL))
    return Normalise(tuple(means), tuple(deviations))


@lru_cache
def _scale_and_shift(mean: tuple[float, ...], std: tuple[float, ...], device: torch.device) -> tuple[Tensor, Tensor]:
    """(x / 255 - mean) / std as x * scale + shift, each (C, 1, 1); kept, so that a step copies nothing."""
    with torch.inference_mode(False):
        means, stds = (torch.tensor(v, dtype=torch.float64)[:, None, None] for v in (mean, std))
        return (1 / (255 * stds)).float().to(device), (-means / stds).float().to(device)
