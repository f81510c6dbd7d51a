"""What each network refuses, and what it says."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import pytest
import torch

from kdrun.errors import UserError

NETWORKS = {
    "resnet.CifarResNet": {"depth": 8, "stem_width": 4, "widths": [4, 8, 8]},
    "resnet_bottleneck.BottleneckResNet": {"stem_width": 4, "widths": [1, 1, 1, 1], "blocks": [1, 1, 1, 1]},
    "wrn.WideResNet": {"depth": 10, "widen": 1},
    "vgg.Vgg": {"widths": [2, 2, 2, 2, 2], "convs": [1, 1, 1, 1, 1]},
    "convnet.ConvNet": {"stem_width": 2, "stem_stride": 2, "widths": [2, 4], "convs": 1},
    "mobilenetv2.MobileNetV2": {"width_multiplier": 0.25, "expansion": 2, "last_width": 8, "stem_stride": 2},
    "shufflenetv1.ShuffleNetV1": {
        "groups": 2,
        "stem_width": 8,
        "widths": [16, 24, 32],
        "blocks": [2, 1, 1],
    },
    "shufflenetv2.ShuffleNetV2": {
        "stem_width": 4,
        "widths": [4, 6, 8],
        "blocks": [2, 1, 1],
        "last_width": 8,
    },
}


def build(target: str, *, image_size: int = 16, **changed: Any) -> torch.nn.Module:
    module, name = target.split(".")
    numbers = {"in_channels": 1, "image_size": image_size, "num_classes": 3, **NETWORKS[target], **changed}
    with torch.device("meta"):
        network: torch.nn.Module = getattr(import_module(f"kdrun.models.{module}"), name)(**numbers)
    return network


@pytest.mark.parametrize("target", NETWORKS)
def test_networks_can_be_built_with_other_numbers(target: str) -> None:
    assert build(target)(torch.empty(2, 1, 16, 16, device="meta")).shape == (2, 3)


@pytest.mark.parametrize(
    ("target", "changed", "message"),
    [
        ("resnet.CifarResNet", {"depth": 21}, "depth must be 6n + 2 (8, 14, 20, ...), got 21"),
        ("resnet.CifarResNet", {"depth": 2}, "depth must be 6n + 2 (8, 14, 20, ...), got 2"),
        ("resnet.CifarResNet", {"depth": "deep"}, "depth must be a whole number >= 1, got deep"),
        ("resnet.CifarResNet", {"widths": [4, 8]}, "widths must list 3 numbers, got [4, 8]"),
        ("resnet.CifarResNet", {"widths": [4, 8, 0]}, "widths must list whole numbers >= 1, got [4, 8, 0]"),
        ("resnet.CifarResNet", {"widths": 16}, "widths must be a list, such as [64, 64], got 16"),
        ("resnet_bottleneck.BottleneckResNet", {"blocks": [3]}, "blocks must list 4 numbers, got [3]"),
        ("wrn.WideResNet", {"depth": 20}, "depth must be 6n + 4 (10, 16, 22, ...), got 20"),
        ("wrn.WideResNet", {"widen": 0}, "widen must be a whole number >= 1, got 0"),
        ("vgg.Vgg", {"convs": [1, 1]}, "convs must list 5 numbers, got [1, 1]"),
        ("convnet.ConvNet", {"widths": []}, "the number of widths must be a whole number >= 1, got 0"),
        ("convnet.ConvNet", {"convs": 1.5}, "convs must be a whole number >= 1, got 1.5"),
        (
            "mobilenetv2.MobileNetV2",
            {"width_multiplier": 0.01},
            "width_multiplier must be >= 0.0625, got 0.01",
        ),
        (
            "mobilenetv2.MobileNetV2",
            {"width_multiplier": "half"},
            "width_multiplier must be >= 0.0625, got half",
        ),
        (
            "shufflenetv1.ShuffleNetV1",
            {"groups": 3},
            "widths must be multiples of 4 * groups = 12 and grow by such multiples from stem_width = 8,"
            " got [16, 24, 32]",
        ),
        ("shufflenetv2.ShuffleNetV2", {"widths": [4, 7, 8]}, "widths must be even, got [4, 7, 8]"),
    ],
)
def test_numbers_that_cannot_be_used_are_refused(target: str, changed: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError) as caught:
        build(target, **changed)
    assert caught.value.message == message


@pytest.mark.parametrize(
    ("target", "least"),
    [
        ("resnet.CifarResNet", 4),
        ("resnet_bottleneck.BottleneckResNet", 8),
        ("wrn.WideResNet", 4),
        ("vgg.Vgg", 8),
        ("convnet.ConvNet", 4),
        ("mobilenetv2.MobileNetV2", 16),
        ("shufflenetv1.ShuffleNetV1", 8),
        ("shufflenetv2.ShuffleNetV2", 8),
    ],
)
def test_images_too_small_are_refused_and_the_smallest_work(target: str, least: int) -> None:
    images = torch.empty(2, 1, least, least, device="meta")
    assert build(target, image_size=least)(images).shape == (2, 3)
    with pytest.raises(UserError, match=f"needs images of at least {least}x{least} pixels, got"):
        build(target, image_size=least - 1)
