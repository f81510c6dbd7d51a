"""What holds for every architecture in conf/model."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from hydra.utils import instantiate
from omegaconf import OmegaConf
from torch import nn

from kdrun.models import TappedNetwork

FOLDER = Path(__file__).parents[2] / "conf" / "model"
NAMES = sorted(path.stem for path in FOLDER.glob("*.yaml"))
CONVOLUTIONAL = [name for name in NAMES if not name.startswith(("mlp", "torchvision"))]

# name: parameters at K = 100 and at K = 10, channels@resolution from stem to last stage, width of `pooled`
FOR_32 = {
    "resnet8": (83_892, 78_042, "16@32 16@32 32@16 64@8", 64),
    "resnet14": (181_108, 175_258, "16@32 16@32 32@16 64@8", 64),
    "resnet20": (278_324, 272_474, "16@32 16@32 32@16 64@8", 64),
    "resnet32": (472_756, 466_906, "16@32 16@32 32@16 64@8", 64),
    "resnet44": (667_188, 661_338, "16@32 16@32 32@16 64@8", 64),
    "resnet56": (861_620, 855_770, "16@32 16@32 32@16 64@8", 64),
    "resnet110": (1_736_564, 1_730_714, "16@32 16@32 32@16 64@8", 64),
    "resnet8x4": (1_233_540, 1_210_410, "32@32 64@32 128@16 256@8", 256),
    "resnet32x4": (7_433_860, 7_410_730, "32@32 64@32 128@16 256@8", 256),
    "wrn_16_1": (180_916, 175_066, "16@32 16@32 32@16 64@8", 64),
    "wrn_16_2": (703_284, 691_674, "16@32 32@32 64@16 128@8", 128),
    "wrn_40_1": (569_780, 563_930, "16@32 16@32 32@16 64@8", 64),
    "wrn_40_2": (2_255_156, 2_243_546, "16@32 32@32 64@16 128@8", 128),
    "vgg8": (3_965_028, 3_918_858, "64@32 128@16 256@8 512@4 512@4", 512),
    "vgg11": (9_277_284, 9_231_114, "64@32 128@16 256@8 512@4 512@4", 512),
    "vgg13": (9_462_180, 9_416_010, "64@32 128@16 256@8 512@4 512@4", 512),
    "vgg16": (14_774_436, 14_728_266, "64@32 128@16 256@8 512@4 512@4", 512),
    "vgg19": (20_086_692, 20_040_522, "64@32 128@16 256@8 512@4 512@4", 512),
    "resnet50_cifar": (23_705_252, 23_520_842, "64@32 256@32 512@16 1024@8 2048@4", 2048),
    "mobilenetv2_half": (812_836, 697_546, "16@16 12@16 16@8 48@4 160@2", 1280),
    "shufflenetv1": (949_258, 862_768, "24@32 240@16 480@8 960@4", 960),
    "shufflenetv2": (1_355_528, 1_263_278, "24@32 116@16 232@8 464@4", 1024),
}


def make(name: str, *, channels: int = 3, size: int = 32, classes: int = 10) -> nn.Module:
    config = OmegaConf.load(FOLDER / f"{name}.yaml")
    OmegaConf.resolve(config)
    del config["name"]
    network: nn.Module = instantiate(config, in_channels=channels, image_size=size, num_classes=classes)
    return network


def make_on_meta(name: str, *, channels: int = 3, size: int = 32, classes: int = 10) -> nn.Module:
    with torch.device("meta"):
        return make(name, channels=channels, size=size, classes=classes)


def parameters(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


@pytest.mark.parametrize("name", FOR_32)
def test_parameter_counts_are_those_published(name: str) -> None:
    of_100, of_10, _, _ = FOR_32[name]
    assert parameters(make_on_meta(name, classes=100)) == of_100
    assert parameters(make_on_meta(name, classes=10)) == of_10


@pytest.mark.parametrize("name", FOR_32)
def test_stages_have_the_published_shapes(name: str) -> None:
    _, _, shapes, width = FOR_32[name]
    network = make_on_meta(name)
    features = TappedNetwork(network, network.layers)(torch.empty(2, 3, 32, 32, device="meta")).features
    stages = [layer for layer in network.layers if layer.startswith("st") and not layer.endswith("_preact")]
    assert stages == ["stem", *(f"stage{number}" for number in range(1, len(stages)))]
    assert " ".join(f"{features[layer].shape[1]}@{features[layer].shape[2]}" for layer in stages) == shapes
    assert features["pooled"].shape == (2, width)


@pytest.mark.parametrize("name", NAMES)
def test_every_yaml_builds_for_grey_and_coloured_images(name: str) -> None:
    for channels, size, classes in ((1, 28, 10), (3, 32, 7)):
        network = make_on_meta(name, channels=channels, size=size, classes=classes)
        logits = network(torch.empty(2, channels, size, size, device="meta"))
        assert logits.shape == (2, classes)


@pytest.mark.parametrize("name", NAMES)
def test_every_yaml_names_itself(name: str) -> None:
    assert OmegaConf.load(FOLDER / f"{name}.yaml").name == ("resnet18" if name == "torchvision" else name)


@pytest.mark.parametrize("name", NAMES)
def test_pooled_is_what_enters_the_linear_classifier(name: str) -> None:
    network = make_on_meta(name)
    features = TappedNetwork(network, ["pooled"])(torch.empty(2, 3, 32, 32, device="meta")).features
    assert isinstance(network.classifier, nn.Linear)
    assert features["pooled"].shape == (2, network.classifier.in_features)


@pytest.mark.parametrize("name", CONVOLUTIONAL)
def test_every_stage_has_a_preactivation_of_its_shape(name: str) -> None:
    network = make_on_meta(name)
    features = TappedNetwork(network, network.layers)(torch.empty(2, 3, 32, 32, device="meta")).features
    stages = [layer for layer in network.layers if layer.startswith("stage") and not layer.endswith("_preact")]
    assert all(features[f"{stage}_preact"].shape == features[stage].shape for stage in stages)


SMALL = ["conv_s", "mlp30", "resnet8", "wrn_16_1", "mobilenetv2_half", "shufflenetv1", "shufflenetv2", "vgg8"]


@pytest.fixture(scope="module", params=SMALL)
def small(request: pytest.FixtureRequest) -> tuple[str, nn.Module]:
    torch.manual_seed(0)
    return request.param, make(request.param, size=16).eval()


def test_hooks_do_not_change_the_logits(small: tuple[str, nn.Module]) -> None:
    _, network = small
    images = torch.randn(2, 3, 16, 16)
    with torch.no_grad():
        plain = network(images)
        tapped = TappedNetwork(network, network.layers)
        assert torch.equal(tapped(images).logits, plain)
        tapped.close()


def test_a_stage_is_the_relu_of_its_preactivation(small: tuple[str, nn.Module]) -> None:
    name, network = small
    tapped = TappedNetwork(network, network.layers)
    with torch.no_grad():
        features = tapped(torch.randn(2, 3, 16, 16)).features
    tapped.close()
    pairs = [(layer.removesuffix("_preact"), layer) for layer in features if layer.endswith("_preact")]
    if name.startswith("wrn"):  # its first two stages end in a sum, before BN and ReLU
        pairs = [("stage3", "stage3_preact")]
    assert pairs
    for after, before in pairs:
        linear = name.startswith("mobilenet")
        expected = features[before] if linear else features[before].relu()
        assert torch.equal(features[after], expected)
        assert (features[before] < 0).any()


def test_the_classifier_on_pooled_gives_the_logits(small: tuple[str, nn.Module]) -> None:
    _, network = small
    tapped = TappedNetwork(network, ["pooled"])
    with torch.no_grad():
        logits, features = tapped(torch.randn(2, 3, 16, 16))
        assert torch.equal(network.classifier(features["pooled"]), logits)
    tapped.close()


def test_channels_last_gives_the_same_logits(small: tuple[str, nn.Module]) -> None:
    _, network = small
    images = torch.randn(2, 3, 16, 16)
    with torch.no_grad():
        plain = network(images)
        network.to(memory_format=torch.channels_last)
        again = network(images.contiguous(memory_format=torch.channels_last))
    torch.testing.assert_close(again, plain, rtol=1e-4, atol=1e-5)


def test_every_parameter_gets_a_gradient(small: tuple[str, nn.Module]) -> None:
    _, network = small
    network(torch.randn(4, 3, 16, 16)).logsumexp(dim=1).sum().backward()
    assert all(parameter.grad is not None for parameter in network.parameters())
    network.zero_grad()


@pytest.mark.parametrize("name", ["resnet8x4", "wrn_16_2", "shufflenetv1", "conv_m"])
def test_the_average_of_the_last_stage_is_pooled(name: str) -> None:
    torch.manual_seed(0)
    network = make(name, size=8).eval()
    stage = [layer for layer in network.layers if layer.startswith("stage") and layer[-1].isdigit()][-1]
    with torch.no_grad():
        features = TappedNetwork(network, [stage, "pooled"])(torch.randn(2, 3, 8, 8)).features
    torch.testing.assert_close(features[stage].mean(dim=(2, 3)), features["pooled"])
