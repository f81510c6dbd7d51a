"""ShuffleNet V1 for 32x32 images."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from kdrun.errors import UserError
from kdrun.models.blocks import Residual, conv_bn, conv_bn_relu, global_average, he_init
from kdrun.models.checks import require_count, require_counts, require_image_size
from kdrun.models.stages import staged_layers, stages_of


class ShuffleNetV1(nn.Module):
    """Grouped 1x1 convolutions, channels shuffled between the groups: logits (B, K) of images (B, C, H, W).

    groups: groups of the 1x1 convolutions; the one that reads the stem has a single group.
    stem_width: channels of the 1x1 stem.
    widths: channels of the three stages, growing by multiples of 4 * groups.
    blocks: units in each stage; every stage halves the resolution.
    Raises UserError for a number out of range, widths that the groups do not divide or images too small.
    Source: Zhang, Zhou, Lin, Sun 2017, arXiv:1707.01083, table 1. Deviations, as in published distillation
    results at 32x32: a 1x1 stem that keeps the resolution, and ReLU after the depthwise convolution.
    """

    def __init__(
        self,
        *,
        in_channels: int,
        image_size: int,
        num_classes: int,
        groups: int,
        stem_width: int,
        widths: Sequence[int],
        blocks: Sequence[int],
    ) -> None:
        super().__init__()
        require_count("groups", groups)
        require_count("stem_width", stem_width)
        require_counts("widths", widths, length=3)
        require_counts("blocks", blocks, length=3)
        _require_divisible(groups, stem_width, widths)
        require_image_size("ShuffleNetV1", image_size, least=8)

        def unit(in_width: int, width: int, stride: int) -> nn.Module:
            entry_groups = 1 if in_width == stem_width else groups
            return _unit(in_width, width, stride, entry_groups, groups)

        self.stem = conv_bn_relu(in_channels, stem_width, 1)
        self.stages = stages_of(unit, stem_width, widths, blocks, (2, 2, 2))
        self.pool = global_average()
        self.classifier = nn.Linear(widths[-1], num_classes)
        self.layers = staged_layers(self.stages)
        he_init(self)

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.classifier(self.pool(self.stages(self.stem(images))))
        return logits


class _DownUnit(nn.Module):
    """Halves the resolution; the pooled input gives the channels that the body does not."""

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body = body
        self.shortcut = nn.AvgPool2d(3, stride=2, padding=1)
        self.relu = nn.ReLU()

    def forward(self, features: Tensor) -> Tensor:
        out: Tensor = self.relu(torch.cat([self.body(features), self.shortcut(features)], dim=1))
        return out


def _unit(in_width: int, width: int, stride: int, entry_groups: int, groups: int) -> nn.Module:
    body_width = width if stride == 1 else width - in_width
    inner = body_width // 4
    body = nn.Sequential(
        conv_bn_relu(in_width, inner, 1, groups=entry_groups),
        nn.ChannelShuffle(entry_groups),
        conv_bn_relu(inner, inner, 3, stride=stride, groups=inner),
        conv_bn(inner, body_width, 1, groups=groups),
    )
    return Residual(body, nn.Identity(), nn.ReLU()) if stride == 1 else _DownUnit(body)


def _require_divisible(groups: int, stem_width: int, widths: Sequence[int]) -> None:
    step = 4 * groups
    growths = [width - entry for entry, width in zip([stem_width, *widths], widths, strict=False)]
    if any(growth <= 0 or growth % step for growth in growths) or any(width % step for width in widths):
        raise UserError(
            f"widths must be multiples of 4 * groups = {step} and grow by such multiples"
            f" from stem_width = {stem_width}, got {list(widths)}"
        )
