from __future__ import annotations

from typing import Any

import pytest
import torch

from kdrun.errors import UserError
from kdrun.models import Constrained, Stackable, TappedNetwork
from kdrun.models.convnet import ConvNet
from kdrun.models.mlp import Mlp


def mlp(
    *,
    widths: tuple[int, ...] = (6, 5),
    dropout: float = 0.0,
    input_dropout: float = 0.0,
    max_norm: float | None = None,
) -> Mlp:
    torch.manual_seed(0)
    return Mlp(
        in_channels=2,
        image_size=3,
        num_classes=4,
        widths=widths,
        dropout=dropout,
        input_dropout=input_dropout,
        max_norm=max_norm,
    )


def norms(network: Mlp) -> list[torch.Tensor]:
    return [layer[0].weight.detach().norm(dim=1) for layer in network.hidden]


def test_hidden_layers_have_the_widths_asked_for() -> None:
    network = mlp(widths=(7, 6, 5))
    features = TappedNetwork(network, network.layers)(torch.randn(8, 2, 3, 3)).features
    widths = {name: feature.shape[1] for name, feature in features.items() if not name.endswith("_preact")}
    assert widths == {"hidden1": 7, "hidden2": 6, "hidden3": 5, "pooled": 5}


def test_without_hidden_layers_it_is_linear() -> None:
    network = mlp(widths=())
    images = torch.randn(8, 2, 3, 3)
    torch.testing.assert_close(network(images), network.classifier(images.flatten(1)))


def test_constrain_scales_only_the_rows_that_are_too_long() -> None:
    network = mlp(max_norm=1.0)
    with torch.no_grad():
        network.hidden[0][0].weight[0] *= 100
        network.hidden[0][0].weight[1] *= 0.01
    before = network.hidden[0][0].weight.detach().clone()
    network.constrain()
    after = network.hidden[0][0].weight.detach()
    torch.testing.assert_close(after[0], before[0] / before[0].norm())
    assert torch.equal(after[1], before[1])


def test_constrain_holds_every_hidden_row_and_leaves_the_classifier() -> None:
    network = mlp(max_norm=0.5)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter *= 50
    classifier = network.classifier.weight.detach().clone()
    network.constrain()
    assert all((norm <= 0.5 + 1e-6).all() for norm in norms(network))
    assert torch.equal(network.classifier.weight, classifier)


def test_without_max_norm_constrain_changes_nothing() -> None:
    network = mlp(max_norm=None)
    before = [parameter.detach().clone() for parameter in network.parameters()]
    network.constrain()
    assert all(torch.equal(old, new) for old, new in zip(before, network.parameters(), strict=True))


def test_the_trainer_can_tell_which_networks_are_constrained() -> None:
    conv = ConvNet(in_channels=1, image_size=8, num_classes=2, stem_width=2, stem_stride=1, widths=[2], convs=1)
    assert isinstance(mlp(), Constrained)
    assert not isinstance(conv, Constrained)


def test_dropout_works_in_training_only_and_after_the_named_layer() -> None:
    network = mlp(widths=(500,), dropout=0.5)
    images = torch.randn(1, 2, 3, 3)
    tapped = TappedNetwork(network, network.layers)
    trained = tapped(images).features
    dropped = (trained["pooled"] == 0) & (trained["hidden1"] > 0)
    assert dropped.any()
    network.eval()
    evaluated = tapped(images).features
    assert torch.equal(evaluated["pooled"], evaluated["hidden1"])


def test_input_dropout_drops_pixels_in_training() -> None:
    network = mlp(widths=(), input_dropout=0.5)
    pooled = TappedNetwork(network, ["pooled"])(torch.ones(20, 2, 3, 3)).features["pooled"]
    assert set(pooled.unique().tolist()) == {0.0, 2.0}


@pytest.mark.parametrize("widths", [(), (7,), (6, 5)])
def test_several_networks_as_one_say_what_each_says(widths: tuple[int, ...]) -> None:
    networks = [mlp(widths=widths) for _ in range(3)]
    with torch.no_grad():
        for number, network in enumerate(networks):
            for parameter in network.parameters():
                parameter.mul_(1 + number)
    images = torch.randn(8, 2, 3, 3)
    together = [torch.stack(alike) for alike in zip(*(one.parameters() for one in networks), strict=True)]
    logits = networks[0].stacked(images, together)
    torch.testing.assert_close(logits, torch.stack([network(images) for network in networks]))


def test_only_dropout_makes_it_noisy() -> None:
    assert isinstance(mlp(), Stackable)
    assert not mlp(max_norm=1.0).noisy
    assert mlp(dropout=0.1).noisy
    assert mlp(input_dropout=0.1).noisy


@pytest.mark.parametrize(
    ("numbers", "message"),
    [
        ({"dropout": 1.0}, "dropout must be >= 0 and < 1, got 1.0"),
        ({"input_dropout": -0.1}, "input_dropout must be >= 0 and < 1, got -0.1"),
        ({"dropout": "some"}, "dropout must be >= 0 and < 1, got some"),
        ({"max_norm": 0.0}, "max_norm must be > 0, or null for no bound, got 0.0"),
        ({"widths": (8, 0)}, "widths must list whole numbers >= 1, got [8, 0]"),
    ],
)
def test_numbers_out_of_range_are_refused(numbers: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError) as caught:
        mlp(**numbers)
    assert caught.value.message == message
