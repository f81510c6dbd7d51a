"""Residual networks of bottleneck blocks for 32x32 images."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

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

_EXPANSION = 4


class BottleneckResNet(nn.Module):
    """ResNet-50 and its kin with a 3x3 stem and no first pooling: logits (B, K) of images (B, C, H, W).

    stem_width: channels of the first convolution.
    widths: channels inside the bottlenecks of the four stages; four times as many leave a stage.
    blocks: bottlenecks in each stage; all stages but the first halve the resolution.
    Raises UserError for a number out of range or images too small.
    Source: He, Zhang, Ren, Sun 2015, arXiv:1512.03385, table 1. Deviations: the stem, made for small images,
    and the stride, which is the 3x3 convolution's.
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
    ) -> None:
        super().__init__()
        require_count("stem_width", stem_width)
        require_counts("widths", widths, length=4)
        require_counts("blocks", blocks, length=4)
        require_image_size("BottleneckResNet", image_size, least=8)
        outer = [_EXPANSION * width for width in widths]
        self.stem = conv_bn_relu(in_channels, stem_width, 3)
        self.stages = stages_of(_bottleneck, stem_width, outer, blocks, (1, 2, 2, 2))
        self.pool = global_average()
        self.classifier = nn.Linear(outer[-1], num_classes)
        self.layers = staged_layers(self.stages)
        he_init(self)

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.classifier(self.pool(self.stages(self.stem(images))))
        return logits


def _bottleneck(in_width: int, width: int, stride: int) -> nn.Module:
    inner = width // _EXPANSION
    body = nn.Sequential(
        conv_bn_relu(in_width, inner, 1),
        conv_bn_relu(inner, inner, 3, stride=stride),
        conv_bn(inner, width, 1),
    )
    return Residual(body, projection_where_needed(in_width, width, stride), nn.ReLU())
