"""Wide residual networks."""

from __future__ import annotations

from torch import Tensor, nn

from kdrun.errors import UserError
from kdrun.models.blocks import global_average, he_init
from kdrun.models.checks import require_count, require_image_size
from kdrun.models.stages import stages_of
from kdrun.models.taps import Tap

_WIDTHS = (16, 32, 64)


class WideResNet(nn.Module):
    """WRN-d-k: 3x3 stem, three stages of n pre-activation blocks, d = 6n + 4: logits (B, K) of (B, C, H, W).

    depth: d, one of 10, 16, 22, 28, 34, 40, ...
    widen: k; the stages have 16k, 32k and 64k channels.
    stage1 and stage2 are the sums that leave a stage, stage3 what is pooled: after the last BN and ReLU.
    stage1_preact and stage2_preact are the input of the next stage's first ReLU (after its BN), stage3_preact
    that of the last ReLU.
    Raises UserError for a depth that is not 6n + 4, a number out of range or images too small.
    Source: Zagoruyko & Komodakis 2016, arXiv:1605.07146, table 1, without dropout.
    """

    def __init__(self, *, in_channels: int, image_size: int, num_classes: int, depth: int, widen: int) -> None:
        super().__init__()
        require_count("depth", depth)
        if depth < 10 or (depth - 4) % 6:
            raise UserError(f"depth must be 6n + 4 (10, 16, 22, ...), got {depth}")
        require_count("widen", widen)
        require_image_size("WideResNet", image_size, least=4)
        widths = [widen * width for width in _WIDTHS]
        self.stem = nn.Conv2d(in_channels, _WIDTHS[0], 3, padding=1, bias=False)
        self.stages = stages_of(_PreActivationBlock, _WIDTHS[0], widths, [(depth - 4) // 6] * 3, (1, 2, 2))
        self.norm = nn.BatchNorm2d(widths[-1])
        self.relu = nn.ReLU()
        self.pool = global_average()
        self.classifier = nn.Linear(widths[-1], num_classes)
        self.layers = _LAYERS
        he_init(self)

    def forward(self, images: Tensor) -> Tensor:
        features = self.relu(self.norm(self.stages(self.stem(images))))
        logits: Tensor = self.classifier(self.pool(features))
        return logits


_LAYERS = {
    "stem": Tap("stem"),
    "stage1": Tap("stages.0"),
    "stage1_preact": Tap("stages.1.0.relu1", "input"),
    "stage2": Tap("stages.1"),
    "stage2_preact": Tap("stages.2.0.relu1", "input"),
    "stage3": Tap("relu"),
    "stage3_preact": Tap("relu", "input"),
    "pooled": Tap("pool"),
}


class _PreActivationBlock(nn.Module):
    """Twice BN, ReLU and 3x3 convolution; a shortcut that has weights is fed the activated input."""

    def __init__(self, in_width: int, width: int, stride: int) -> None:
        super().__init__()
        self.norm1 = nn.BatchNorm2d(in_width)
        self.relu1 = nn.ReLU()
        self.conv1 = nn.Conv2d(in_width, width, 3, stride=stride, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(width)
        self.relu2 = nn.ReLU()
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        same = in_width == width and stride == 1
        self.shortcut = None if same else nn.Conv2d(in_width, width, 1, stride=stride, bias=False)

    def forward(self, features: Tensor) -> Tensor:
        activated = self.relu1(self.norm1(features))
        shortcut = features if self.shortcut is None else self.shortcut(activated)
        out: Tensor = self.conv2(self.relu2(self.norm2(self.conv1(activated)))) + shortcut
        return out
