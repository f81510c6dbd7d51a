"""ShuffleNet V2 for 32x32 images."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from kdrun.errors import UserError
from kdrun.models.blocks import conv_bn, conv_bn_relu, global_average, he_init
from kdrun.models.checks import require_count, require_counts, require_image_size
from kdrun.models.stages import staged_layers, stages_of


class ShuffleNetV2(nn.Module):
    """Units on half of the channels, shuffled with the other half: logits (B, K) of images (B, C, H, W).

    stem_width: channels of the 1x1 stem.
    widths: channels of the three stages, even numbers.
    blocks: units in each stage; every stage halves the resolution.
    last_width: channels of the 1x1 convolution before pooling.
    Raises UserError for a number out of range or images too small.
    Source: Ma, Zhang, Zheng, Sun 2018, arXiv:1807.11164, table 5. Deviation, as in published distillation
    results at 32x32: a 1x1 stem that keeps the resolution.
    """

    def __init__(
        self,
        *,
        in_channels: int,
        image_size: int,
        num_classes: int,
        stem_width: int,
        widths: Sequence[int],
        blocks: Sequence[int],
        last_width: int,
    ) -> None:
        super().__init__()
        require_count("stem_width", stem_width)
        require_counts("widths", widths, length=3)
        require_counts("blocks", blocks, length=3)
        require_count("last_width", last_width)
        if any(width % 2 for width in widths):
            raise UserError(f"widths must be even, got {list(widths)}")
        require_image_size("ShuffleNetV2", image_size, least=8)
        self.stem = conv_bn_relu(in_channels, stem_width, 1)
        self.stages = stages_of(_unit, stem_width, widths, blocks, (2, 2, 2))
        self.head = conv_bn_relu(widths[-1], last_width, 1)
        self.pool = global_average()
        self.classifier = nn.Linear(last_width, num_classes)
        self.layers = staged_layers(self.stages)
        he_init(self)

    def forward(self, images: Tensor) -> Tensor:
        features = self.head(self.stages(self.stem(images)))
        logits: Tensor = self.classifier(self.pool(features))
        return logits


def _unit(in_width: int, width: int, stride: int) -> nn.Module:
    return _Unit(width) if stride == 1 else _DownUnit(in_width, width)


class _Unit(nn.Module):
    """Passes one half of the channels on as it is."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.branch = _branch(width // 2, width // 2, stride=1)
        self.shuffle = nn.ChannelShuffle(2)
        self.relu = nn.ReLU()

    def forward(self, features: Tensor) -> Tensor:
        kept, worked = features.chunk(2, dim=1)
        # `kept` has been through a ReLU already, so one at the end changes nothing of it and the unit ends in
        # a ReLU.
        out: Tensor = self.relu(self.shuffle(torch.cat([kept, self.branch(worked)], dim=1)))
        return out


class _DownUnit(nn.Module):
    """Halves the resolution in two branches that both read all channels."""

    def __init__(self, in_width: int, width: int) -> None:
        super().__init__()
        half = width // 2
        self.shortcut = nn.Sequential(
            conv_bn(in_width, in_width, 3, stride=2, groups=in_width),
            conv_bn(in_width, half, 1),
        )
        self.branch = _branch(in_width, half, stride=2)
        self.shuffle = nn.ChannelShuffle(2)
        self.relu = nn.ReLU()

    def forward(self, features: Tensor) -> Tensor:
        halves = [self.shortcut(features), self.branch(features)]
        out: Tensor = self.relu(self.shuffle(torch.cat(halves, dim=1)))
        return out


def _branch(in_width: int, width: int, *, stride: int) -> nn.Sequential:
    return nn.Sequential(
        conv_bn_relu(in_width, width, 1),
        conv_bn(width, width, 3, stride=stride, groups=width),
        conv_bn(width, width, 1),
    )
