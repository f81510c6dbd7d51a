"""Pieces that several convolutional networks are made of."""

from __future__ import annotations

from torch import Tensor, nn


def conv_bn(
    in_width: int, width: int, kernel: int, *, stride: int = 1, groups: int = 1, bias: bool = False
) -> nn.Sequential:
    """Convolution that keeps the resolution at stride 1, and batch normalisation."""
    padding = kernel // 2
    conv = nn.Conv2d(in_width, width, kernel, stride=stride, padding=padding, groups=groups, bias=bias)
    return nn.Sequential(conv, nn.BatchNorm2d(width))


def conv_bn_relu(
    in_width: int, width: int, kernel: int, *, stride: int = 1, groups: int = 1, bias: bool = False
) -> nn.Sequential:
    return nn.Sequential(
        *conv_bn(in_width, width, kernel, stride=stride, groups=groups, bias=bias),
        # Never in place: the features before it can be read.
        nn.ReLU(),
    )


class Residual(nn.Module):
    """activation(body(x) + shortcut(x))."""

    def __init__(self, body: nn.Module, shortcut: nn.Module, activation: nn.Module) -> None:
        super().__init__()
        self.body = body
        self.shortcut = shortcut
        self.activation = activation

    def forward(self, features: Tensor) -> Tensor:
        out: Tensor = self.activation(self.body(features) + self.shortcut(features))
        return out


def projection_where_needed(in_width: int, width: int, stride: int) -> nn.Module:
    """Shortcut: the identity, or 1x1 convolution and BN where width or resolution change."""
    if in_width == width and stride == 1:
        return nn.Identity()
    return conv_bn(in_width, width, 1, stride=stride)


def global_average() -> nn.Sequential:
    """(B, C, H, W) to (B, C)."""
    return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())


def he_init(network: nn.Module) -> None:
    """Draws the weights of all convolutions from N(0, 2 / fan_out) and sets their biases to 0.

    Source: He, Zhang, Ren, Sun 2015, arXiv:1502.01852, section 2.2 (backward case).
    """
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
            if module.bias is not None:
                nn.init.zeros_(module.bias)
