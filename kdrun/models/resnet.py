"""Residual networks of basic blocks for 32x32 images."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from kdrun.errors import UserError
from kdrun.models.blocks import (
    Residual,
    conv_bn,
    conv_bn_relu,
    global_average,
    he_init,
    projection_where_needed,
)
from kdrun.models.checks import require_count, require_counts, require_image_size
from kdrun.models.stages import staged_layers, stages_of


class CifarResNet(nn.Module):
    """3x3 stem and three stages of n basic blocks, depth = 6n + 2: logits (B, K) of images (B, C, H, W).

    depth: convolutions and the linear layer, 8, 14, 20, ...
    stem_width: channels of the first convolution.
    widths: channels of the three stages; the second and third halve the resolution.
    Raises UserError for a depth that is not 6n + 2, a number out of range or images too small.
    Source: He, Zhang, Ren, Sun 2015, arXiv:1512.03385, section 4.2. Deviation: the shortcut is a 1x1
    convolution with BN wherever width or resolution change (option B; the paper pads with zeros there), as in
    published distillation results.
    """

    def __init__(
        self,
        *,
        in_channels: int,
        image_size: int,
        num_classes: int,
        depth: int,
        stem_width: int,
        widths: Sequence[int],
    ) -> None:
        super().__init__()
        require_count("depth", depth)
        if depth < 8 or (depth - 2) % 6:
            raise UserError(f"depth must be 6n + 2 (8, 14, 20, ...), got {depth}")
        require_count("stem_width", stem_width)
        require_counts("widths", widths, length=3)
        require_image_size("CifarResNet", image_size, least=4)
        self.stem = conv_bn_relu(in_channels, stem_width, 3)
        self.stages = stages_of(_basic_block, stem_width, widths, [(depth - 2) // 6] * 3, (1, 2, 2))
        self.pool = global_average()
        self.classifier = nn.Linear(widths[-1], num_classes)
        self.layers = staged_layers(self.stages)
        he_init(self)

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.classifier(self.pool(self.stages(self.stem(images))))
        return logits


def _basic_block(in_width: int, width: int, stride: int) -> nn.Module:
    body = nn.Sequential(conv_bn_relu(in_width, width, 3, stride=stride), conv_bn(width, width, 3))
    return Residual(body, projection_where_needed(in_width, width, stride), nn.ReLU())
