"""Small plain convolutional networks, cheap enough for a CPU."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from kdrun.models.blocks import conv_bn_relu, global_average, he_init
from kdrun.models.checks import require_count, require_counts, require_image_size
from kdrun.models.stages import staged_layers, stages_of


class ConvNet(nn.Module):
    """3x3 convolutions with BN and ReLU, global average, linear: logits (B, K) of images (B, C, H, W).

    stem_width: channels of the first convolution.
    stem_stride: 1 keeps the image's resolution, 2 halves it.
    widths: channels of each stage; every stage but the first halves the resolution.
    convs: convolutions in each stage.
    Raises UserError for a number out of range or images too small.
    """

    def __init__(
        self,
        *,
        in_channels: int,
        image_size: int,
        num_classes: int,
        stem_width: int,
        stem_stride: int,
        widths: Sequence[int],
        convs: int,
    ) -> None:
        super().__init__()
        require_count("stem_width", stem_width)
        require_count("stem_stride", stem_stride)
        require_count("convs", convs)
        require_counts("widths", widths)
        require_count("the number of widths", len(widths))
        strides = [1] + [2] * (len(widths) - 1)
        require_image_size("ConvNet", image_size, least=stem_stride * 2 ** (len(widths) - 1))
        self.stem = conv_bn_relu(in_channels, stem_width, 3, stride=stem_stride)
        self.stages = stages_of(_conv, stem_width, widths, [convs] * len(widths), strides)
        self.pool = global_average()
        self.classifier = nn.Linear(widths[-1], num_classes)
        self.layers = staged_layers(self.stages)
        he_init(self)

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.classifier(self.pool(self.stages(self.stem(images))))
        return logits


def _conv(in_width: int, width: int, stride: int) -> nn.Module:
    return conv_bn_relu(in_width, width, 3, stride=stride)
