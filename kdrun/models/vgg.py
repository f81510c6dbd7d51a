"""VGG networks for 32x32 images."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from kdrun.models.blocks import conv_bn_relu, global_average, he_init
from kdrun.models.checks import require_counts, require_image_size
from kdrun.models.stages import staged_layers


class Vgg(nn.Module):
    """Five blocks of 3x3 convolutions with BN, average, one linear layer: logits (B, K) of (B, C, H, W).

    widths: channels of each block. The resolution halves after the first, second and third block.
    convs: convolutions in each block.
    The first block is the layer `stem`, the others are stage1 to stage4, so that they pair with a four-stage
    residual network.
    Raises UserError for a number out of range or images too small.
    Source: Simonyan & Zisserman 2014, arXiv:1409.1556, table 1. Deviations, as in published distillation
    results: batch normalisation, no pooling after the fourth block, an average and one linear layer in place
    of three.
    """

    def __init__(
        self,
        *,
        in_channels: int,
        image_size: int,
        num_classes: int,
        widths: Sequence[int],
        convs: Sequence[int],
    ) -> None:
        super().__init__()
        require_counts("widths", widths, length=5)
        require_counts("convs", convs, length=5)
        require_image_size("Vgg", image_size, least=8)
        entries = [in_channels, *widths[:-1]]
        blocks = [_convs(*sizes) for sizes in zip(entries, widths, convs, strict=True)]
        self.stem = blocks[0]
        self.stages = nn.Sequential(
            *(nn.Sequential(nn.MaxPool2d(2), *block) for block in blocks[1:4]),
            blocks[4],
        )
        self.pool = global_average()
        self.classifier = nn.Linear(widths[-1], num_classes)
        self.layers = staged_layers(self.stages)
        he_init(self)

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.classifier(self.pool(self.stages(self.stem(images))))
        return logits


def _convs(in_width: int, width: int, count: int) -> nn.Sequential:
    entries = [in_width] + [width] * (count - 1)
    return nn.Sequential(*(conv_bn_relu(entry, width, 3, bias=True) for entry in entries))
