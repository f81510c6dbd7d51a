"""MobileNetV2 for 32x32 images."""

from __future__ import annotations

from torch import Tensor, nn

from kdrun.errors import UserError
from kdrun.models.blocks import Residual, conv_bn, conv_bn_relu, global_average, he_init
from kdrun.models.checks import require_count, require_image_size
from kdrun.models.stages import staged_layers

_STEM_WIDTH = 32
# (width, blocks, stride) of each group of blocks, by stage. The very first group does not expand.
_STAGES = (
    ((16, 1, 1), (24, 2, 1)),
    ((32, 3, 2),),
    ((64, 4, 2), (96, 3, 1)),
    ((160, 3, 2), (320, 1, 1)),
)


class MobileNetV2(nn.Module):
    """Inverted residual blocks with linear bottlenecks: logits (B, K) of images (B, C, H, W).

    width_multiplier: factor on the channels of stem and blocks, > 0.
    expansion: channels inside a block for each channel that enters it.
    last_width: channels of the 1x1 convolution before pooling.
    stem_stride: 2 halves the resolution at once, 1 keeps it.
    Its stages end without a ReLU, so stage1_preact is stage1 and so on.
    Raises UserError for a number out of range or images too small.
    Source: Sandler et al. 2018, arXiv:1801.04381, table 2. Deviations, as in published distillation results
    at 32x32: the second group keeps the resolution, ReLU in place of ReLU6, the group that does not expand
    has its 1x1 convolution.
    """

    def __init__(
        self,
        *,
        in_channels: int,
        image_size: int,
        num_classes: int,
        width_multiplier: float,
        expansion: int,
        last_width: int,
        stem_stride: int,
    ) -> None:
        super().__init__()
        if not (isinstance(width_multiplier, int | float) and width_multiplier >= 1 / 16):
            raise UserError(f"width_multiplier must be >= 0.0625, got {width_multiplier}")
        for name, value in (
            ("expansion", expansion),
            ("last_width", last_width),
            ("stem_stride", stem_stride),
        ):
            require_count(name, value)
        require_image_size("MobileNetV2", image_size, least=8 * stem_stride)
        width = int(_STEM_WIDTH * width_multiplier)
        self.stem = conv_bn_relu(in_channels, width, 3, stride=stem_stride)
        self.stages = _stages(width, width_multiplier, expansion)
        self.head = conv_bn_relu(int(_STAGES[-1][-1][0] * width_multiplier), last_width, 1)
        self.pool = global_average()
        self.classifier = nn.Linear(last_width, num_classes)
        self.layers = staged_layers(self.stages)
        he_init(self)

    def forward(self, images: Tensor) -> Tensor:
        features = self.head(self.stages(self.stem(images)))
        logits: Tensor = self.classifier(self.pool(features))
        return logits


def _stages(in_width: int, width_multiplier: float, expansion: int) -> nn.Sequential:
    stages = []
    for number, groups in enumerate(_STAGES):
        blocks = []
        for group, (full_width, count, stride) in enumerate(groups):
            factor = 1 if number == group == 0 else expansion
            width = int(full_width * width_multiplier)
            for index in range(count):
                blocks.append(_inverted_residual(in_width, width, stride if index == 0 else 1, factor))
                in_width = width
        stages.append(nn.Sequential(*blocks))
    return nn.Sequential(*stages)


def _inverted_residual(in_width: int, width: int, stride: int, expansion: int) -> nn.Module:
    inner = in_width * expansion
    body = nn.Sequential(
        conv_bn_relu(in_width, inner, 1),
        conv_bn_relu(inner, inner, 3, stride=stride, groups=inner),
        conv_bn(inner, width, 1),
    )
    same = in_width == width and stride == 1
    return Residual(body, nn.Identity(), nn.Identity()) if same else body
