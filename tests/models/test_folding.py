"""A folded copy says what the network says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
import torch
from omegaconf import OmegaConf
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.utils import parametrizations

from kdrun.experiment.build import network_of
from kdrun.models import Tap, TappedNetwork
from kdrun.models.folding import folded
from kdrun.models.taps import layers_of

FOLDER = Path(__file__).parents[2] / "conf" / "model"

# name: how many of its batch norms are left. A pre-activation network normalises sums, too.
LEFT = {
    "resnet8": 0,
    "resnet20": 0,
    "resnet8x4": 0,
    "resnet50_cifar": 0,
    "wrn_16_1": 7,
    "vgg8": 0,
    "mobilenetv2_half": 0,
    "shufflenetv1": 0,
    "shufflenetv2": 0,
    "conv_s": 0,
    "torchvision": 0,
}


def network(name: str, dtype: torch.dtype) -> nn.Module:
    """A network of conf/model in evaluation mode, whose batch norms have seen something."""
    torch.manual_seed(0)
    config: Any = OmegaConf.to_container(OmegaConf.load(FOLDER / f"{name}.yaml"), resolve=True)
    made = seasoned(network_of(config, (3, 16, 16), 10))
    return made.to(dtype)


def seasoned(network: nn.Module) -> nn.Module:
    for module in network.modules():
        if isinstance(module, _BatchNorm):
            for values, least, most in (
                (module.running_mean, -0.5, 0.5),
                (module.running_var, 0.5, 2.0),
                (module.weight, 0.5, 1.5),
                (module.bias, -0.5, 0.5),
            ):
                if values is not None:
                    nn.init.uniform_(values, least, most)
    return network.eval()


def norms(network: nn.Module) -> int:
    return sum(isinstance(module, _BatchNorm) for module in network.modules())


@torch.no_grad()
def furthest(one: nn.Module, other: nn.Module, layers: Sequence[str], inputs: Tensor) -> float:
    """The largest difference of logits and features, each relative to its largest value."""
    said, again = (TappedNetwork(each, layers)(inputs) for each in (one, other))
    assert list(said.features) == list(again.features) == list(layers)
    values = [(said.logits, again.logits), *((said.features[name], again.features[name]) for name in layers)]
    return max(float((a - b).abs().max() / a.abs().max()) for a, b in values)


@pytest.mark.parametrize(("dtype", "most"), [(torch.float32, 1e-5), (torch.float64, 1e-10)])
@pytest.mark.parametrize("name", LEFT)
def test_logits_and_every_named_layer_are_equal(name: str, dtype: torch.dtype, most: float) -> None:
    whole = network(name, dtype)
    layers = list(layers_of(whole))
    inputs = torch.randn(4, 3, 16, 16, dtype=dtype)
    copy = folded(whole)
    assert norms(copy) == LEFT[name] < norms(whole)
    assert furthest(whole, copy, layers, inputs) < most


def test_the_network_itself_is_left_as_it_is() -> None:
    whole = network("resnet8", torch.float32).train()
    before = {name: value.clone() for name, value in whole.state_dict().items()}
    copy = folded(whole)
    assert whole.training
    assert not copy.training
    assert all(torch.equal(value, before[name]) for name, value in whole.state_dict().items())
    assert set(whole.state_dict()) == set(before)


class Chain(nn.Module):
    """A convolution and its batch norm in blocks of their own, and a classifier."""

    layers: Mapping[str, Tap] = MappingProxyType({})

    def __init__(self, conv: nn.Module | None = None, norm: nn.Module | None = None) -> None:
        super().__init__()
        self.first = nn.Sequential(conv or nn.Conv2d(3, 4, 3))
        self.second = nn.Sequential(norm or nn.BatchNorm2d(4), nn.ReLU())
        self.classifier = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 2))

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.classifier(self.second(self.first(images)))
        return logits


class UsedTwice(Chain):
    def forward(self, images: Tensor) -> Tensor:
        between = self.first(images)
        logits: Tensor = self.classifier(self.second(between) + between)
        return logits


class CalledTwice(Chain):
    def forward(self, images: Tensor) -> Tensor:
        said = [self.second(self.first(images)), self.first(images.flip(3))]
        logits: Tensor = self.classifier(said[0] + said[1])
        return logits


class WeightsRead(Chain):
    def forward(self, images: Tensor) -> Tensor:
        weight: Tensor = self.first[0].weight  # type: ignore[assignment]
        logits: Tensor = super().forward(images) + weight.mean()
        return logits


class DependingOnValues(Chain):
    def forward(self, images: Tensor) -> Tensor:
        return super().forward(images if images.mean() > 0 else images + 1)


class Centred(nn.Conv2d):
    def forward(self, images: Tensor) -> Tensor:
        weight = self.weight - self.weight.mean(dim=(1, 2, 3), keepdim=True)
        return nn.functional.conv2d(images, weight, self.bias)


def hooked() -> Chain:
    chain = Chain()
    chain.first[0].register_forward_hook(lambda _module, _arguments, output: output * 2)
    return chain


@pytest.mark.parametrize(
    "whole",
    [
        UsedTwice(),
        CalledTwice(),
        WeightsRead(),
        DependingOnValues(),
        hooked(),
        Chain(conv=Centred(3, 4, 3)),
        Chain(conv=parametrizations.weight_norm(nn.Conv2d(3, 4, 3))),
        Chain(norm=nn.BatchNorm2d(4, track_running_stats=False)),
        Chain(conv=nn.ConvTranspose2d(3, 4, 3)),
    ],
    ids=lambda whole: type(whole).__name__,
)
def test_where_the_two_are_not_one_they_are_left(whole: nn.Module) -> None:
    copy = folded(seasoned(whole))
    assert norms(copy) == norms(whole) == 1
    assert furthest(whole, copy, (), torch.randn(4, 3, 8, 8)) == 0


@pytest.mark.parametrize(
    ("tap", "left"),
    [
        (Tap("first.0"), 1),
        (Tap("first"), 1),
        (Tap("second", "input"), 1),
        (Tap("second.0", "input"), 1),
        (Tap("first", "input"), 0),
        (Tap("second.0"), 0),
        (Tap("second.1", "input"), 0),
        (Tap("second"), 0),
    ],
)
def test_nothing_is_folded_across_a_place_that_is_named(tap: Tap, left: int) -> None:
    whole = seasoned(Chain())
    whole.layers = {"here": tap}
    copy = folded(whole)
    assert norms(copy) == left
    assert furthest(whole, copy, ["here"], torch.randn(4, 3, 8, 8)) < 1e-5


def test_an_affine_free_norm_and_a_grouped_convolution_are_folded() -> None:
    whole = seasoned(Chain(conv=nn.Conv2d(3, 6, 3, groups=3, bias=False), norm=nn.BatchNorm2d(6, affine=False)))
    whole.classifier[2] = nn.Linear(6, 2)  # type: ignore[index, operator]
    copy = folded(whole)
    assert norms(copy) == 0
    assert furthest(whole, copy, (), torch.randn(4, 3, 8, 8)) < 1e-5


def test_a_network_that_names_no_layers_is_left() -> None:
    assert norms(folded(seasoned(nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))))) == 1
