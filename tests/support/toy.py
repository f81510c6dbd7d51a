"""A data set made up on the spot, for tests: `dataset.source._target_: toy.Blobs` (see conf_toy)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch

from kdrun.data import Images, RawData


@dataclass(frozen=True)
class Blobs:
    """Noisy images of a fixed pattern per class: `size` x `size`, `channels` channels."""

    examples: int
    classes: int
    channels: int
    size: int
    noise: float

    def identity(self, data_root: Path) -> Mapping[str, str | int]:
        return {}

    def load(self, data_root: Path) -> RawData:
        generator = torch.Generator().manual_seed(7)
        labels = torch.arange(self.examples) % self.classes
        shape = self.channels, self.size, self.size
        patterns = torch.rand(self.classes, *shape, generator=generator)
        noise = torch.rand(self.examples, *shape, generator=generator)
        images = (1 - self.noise) * patterns[labels] + self.noise * noise
        names = tuple(f"class {index}" for index in range(self.classes))
        return RawData(Images((images * 255).to(torch.uint8), labels), None, names)


class Wrong(torch.nn.Module):
    """A network that always gives seven outputs."""

    def __init__(self, *, in_channels: int, image_size: int, num_classes: int) -> None:
        super().__init__()
        self.head = torch.nn.Linear(in_channels * image_size * image_size, 7)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return self.head(inputs.flatten(1))


class ByLength(torch.optim.SGD):
    """SGD whose step is divided by the length of all its weights: the update of each depends on all others."""

    def __init__(self, params: list[torch.Tensor], lr: float, weight_decay: float, fused: bool) -> None:
        super().__init__(params, lr=lr, momentum=0.9, weight_decay=weight_decay)

    def step(self, closure: None = None) -> None:  # type: ignore[override]
        parameters = [one for group in self.param_groups for one in group["params"]]
        length = torch.stack([one.detach().norm() for one in parameters]).norm()
        for one in parameters:
            one.grad /= length
        super().step(closure)
