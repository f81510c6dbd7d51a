from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from urllib.error import URLError

import pytest
import torch
from torch import nn

from kdrun.errors import UserError
from kdrun.models import TappedNetwork
from kdrun.models.zoo import TorchvisionNetwork, build

FILE_OF_WEIGHTS = "shufflenetv2_x0.5-f707e7126e.pth"


def network(
    model: str, *, weights: str | None = None, channels: int = 3, size: int = 64, read_weights: bool = True
) -> TorchvisionNetwork:
    return build(
        model=model,
        weights=weights,
        in_channels=channels,
        image_size=size,
        num_classes=7,
        read_weights=read_weights,
    )


def shapes(model: str, size: int) -> dict[str, tuple[int, ...]]:
    with torch.device("meta"):
        made = network(model, size=size)
        features = TappedNetwork(made, made.layers)(torch.empty(2, 3, size, size)).features
    return {name: tuple(features[name].shape[1:]) for name in made.layers if not name.endswith("_preact")}


def test_resnet18_has_the_usual_layers() -> None:
    assert shapes("resnet18", 64) == {
        "stem": (64, 32, 32),
        "stage1": (64, 16, 16),
        "stage2": (128, 8, 8),
        "stage3": (256, 4, 4),
        "stage4": (512, 2, 2),
        "pooled": (512,),
    }


@pytest.mark.parametrize(
    ("model", "stages"),
    [("vgg11_bn", 4), ("mobilenet_v2", 4), ("shufflenet_v2_x0_5", 3), ("regnet_y_400mf", 4)],
)
def test_other_families_have_the_usual_layers(model: str, stages: int) -> None:
    assert list(shapes(model, 64)) == ["stem", *(f"stage{i}" for i in range(1, stages + 1)), "pooled"]


def test_layers_do_not_depend_on_the_image_size() -> None:
    assert list(shapes("resnet18", 32)) == list(shapes("resnet18", 64))


def test_a_transformer_offers_its_submodules() -> None:
    with torch.device("meta"):
        layers = network("swin_t").layers
    assert "features.1.0" in layers
    assert "stage1" not in layers


def test_preactivations_are_read_although_torchvision_activates_in_place() -> None:
    made = network("resnet18").eval()
    with torch.no_grad():
        features = TappedNetwork(made, ["stage4", "stage4_preact"])(torch.randn(2, 3, 64, 64)).features
    assert (features["stage4_preact"] < 0).any()
    assert torch.equal(features["stage4_preact"].relu(), features["stage4"])


def test_grey_images_get_a_first_convolution_of_one_channel() -> None:
    made = network("resnet18", channels=1)
    assert made(torch.randn(2, 1, 64, 64)).shape == (2, 7)


def test_the_classifier_is_the_last_linear_layer() -> None:
    with torch.device("meta"):
        made = network("mobilenet_v2")
    assert isinstance(made.classifier, nn.Linear)
    assert made.classifier.out_features == 7


def test_the_state_holds_every_weight_once() -> None:
    with torch.device("meta"):
        state = network("resnet18").state_dict(keep_vars=True)
    assert len({id(value) for value in state.values()}) == len(state)


def test_a_network_without_linear_classifier_says_so() -> None:
    with torch.device("meta"):
        made = network("squeezenet1_1")
    with pytest.raises(UserError, match="SqueezeNet has no linear classifier"):
        _ = made.classifier


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder of downloaded weights, and no network."""

    def refuse(*_args: object, **_kwargs: object) -> None:
        raise URLError("no network")

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr("torch.hub.urlopen", refuse)
    folder = tmp_path / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    return folder


def test_trained_weights_are_used_and_the_head_is_drawn_anew(hub: Path) -> None:
    from torchvision.models import shufflenet_v2_x0_5

    trained = shufflenet_v2_x0_5(weights=None)
    torch.save(trained.state_dict(), hub / FILE_OF_WEIGHTS)
    made = network("shufflenet_v2_x0_5", weights="DEFAULT")
    assert torch.equal(made.body.conv1[0].weight, trained.conv1[0].weight)
    assert made(torch.randn(2, 3, 64, 64)).shape == (2, 7)


@pytest.mark.usefixtures("hub")
def test_where_other_weights_will_be_loaded_none_are_downloaded() -> None:
    made = network("shufflenet_v2_x0_5", weights="DEFAULT", read_weights=False)
    assert made(torch.randn(2, 3, 64, 64)).shape == (2, 7)
    with torch.device("meta"):
        assert network("shufflenet_v2_x0_5", weights="DEFAULT").layers == made.layers


@pytest.mark.usefixtures("hub")
def test_the_network_without_its_weights_is_still_the_one_that_they_belong_to() -> None:
    """weights=None is another network: with two more heads, and an input that is not scaled."""
    made = network("googlenet", weights="DEFAULT", read_weights=False)
    assert made.body.transform_input
    assert made.body.aux1 is None
    assert network("vit_b_16", weights="IMAGENET1K_SWAG_E2E_V1", size=384, read_weights=False).body.image_size == 384


@pytest.mark.usefixtures("hub")
def test_weights_are_read_again_after_a_network_without_them() -> None:
    network("shufflenet_v2_x0_5", weights="DEFAULT", read_weights=False)
    with pytest.raises(UserError, match="cannot get weights=DEFAULT"):
        network("shufflenet_v2_x0_5", weights="DEFAULT")
    layer = nn.Linear(1, 1)
    layer.load_state_dict({"weight": torch.full((1, 1), 7.0), "bias": torch.zeros(1)})
    assert layer.weight.item() == 7


def test_weights_that_cannot_be_downloaded_are_one_line(hub: Path) -> None:
    with pytest.raises(UserError) as caught:
        network("resnet18", weights="DEFAULT")
    assert caught.value.message == (
        "cannot get weights=DEFAULT of resnet18 (<urlopen error no network>); put a sound file into"
        f" {hub}, or type weights=null for random weights"
    )


def test_a_damaged_file_of_weights_is_one_line(hub: Path) -> None:
    (hub / FILE_OF_WEIGHTS).write_bytes(b"PK\x03\x04 cut short")
    with pytest.raises(UserError, match="cannot get weights=DEFAULT of shufflenet_v2_x0_5") as caught:
        network("shufflenet_v2_x0_5", weights="DEFAULT")
    assert "\n" not in caught.value.message


@pytest.mark.parametrize(
    ("model", "changed", "message"),
    [
        (
            "resnet19",
            {},
            "torchvision has no classifier 'resnet19'; choose one of: resnet18, resnet152, resnet101",
        ),
        (
            "resnet18",
            {"weights": "BEST"},
            "resnet18 has no weights 'BEST'; choose one of: null, IMAGENET1K_V1, DEFAULT",
        ),
        (
            "resnet18",
            {"weights": "DEFAULT", "channels": 1},
            "weights=DEFAULT of resnet18 take images of 3 channels, the data set has 1;"
            " type weights=null for random weights",
        ),
        (
            "vit_b_32",
            {"size": 32},
            "vit_b_32 cannot take images of 32x32 pixels"
            " (Wrong image height! Expected 224 but got 32!); choose another model",
        ),
    ],
)
def test_what_does_not_fit_is_refused(model: str, changed: dict[str, object], message: str) -> None:
    with pytest.raises(UserError) as caught:
        network(model, **changed)  # type: ignore[arg-type]
    assert caught.value.message == message


def test_a_network_with_several_outputs_is_refused() -> None:
    with pytest.raises(UserError, match="googlenet gives more than logits in training"):
        network("googlenet")


def test_torchvision_is_imported_only_when_a_model_is_built() -> None:
    code = "import sys, kdrun.models.zoo; sys.exit('torchvision' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
