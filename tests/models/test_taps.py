from __future__ import annotations

import weakref

import pytest
import torch
from torch import Tensor, nn

from kdrun.errors import UserError
from kdrun.models import Tap, TappedNetwork


class Named(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(3, 4), nn.ReLU())
        self.classifier = nn.Linear(4, 2)
        self.layers = {"hidden": Tap("body"), "before": Tap("body.1", "input")}

    def forward(self, inputs: Tensor) -> Tensor:
        logits: Tensor = self.classifier(self.body(inputs))
        return logits


def test_features_are_those_of_the_named_places() -> None:
    network, inputs = Named(), torch.randn(5, 3)
    signals = TappedNetwork(network, ["hidden", "before"])(inputs)
    assert torch.equal(signals.features["before"], network.body[0](inputs))
    assert torch.equal(signals.features["hidden"], network.body(inputs))
    assert torch.equal(signals.logits, network(inputs))


def test_an_unknown_layer_is_refused_with_those_there_are() -> None:
    with pytest.raises(UserError) as caught:
        TappedNetwork(Named(), ["stage1"])
    assert caught.value.message == "Named has no layer 'stage1'; it has hidden, before"


def test_a_network_that_names_no_layers_offers_its_submodules() -> None:
    network = nn.Sequential(nn.Linear(3, 4), nn.Sequential(nn.ReLU(), nn.Linear(4, 2)))
    inputs = torch.randn(5, 3)
    features = TappedNetwork(network, ["1.0"])(inputs).features
    assert torch.equal(features["1.0"], network[0](inputs).relu())


def test_modules_that_a_user_calls_layers_are_not_taken_for_names() -> None:
    class Listed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layers = nn.ModuleList([nn.Linear(3, 4), nn.Linear(4, 2)])

        def forward(self, inputs: Tensor) -> Tensor:
            for layer in self.layers:
                inputs = layer(inputs)
            return inputs

    assert TappedNetwork(Listed(), ["layers.0"])(torch.randn(5, 3)).features["layers.0"].shape == (5, 4)


def test_activations_are_not_kept_after_the_call() -> None:
    tapped = TappedNetwork(Named(), ["hidden"])
    signals = tapped(torch.randn(5, 3))
    kept = weakref.ref(signals.features["hidden"])
    del signals
    assert kept() is None


def test_features_of_one_call_are_untouched_by_the_next() -> None:
    tapped = TappedNetwork(Named(), ["hidden"])
    first = tapped(torch.randn(5, 3))
    before = first.features["hidden"].clone()
    tapped(torch.randn(5, 3))
    assert torch.equal(first.features["hidden"], before)


def test_closing_takes_the_hooks_off() -> None:
    tapped = TappedNetwork(Named(), ["hidden"])
    tapped.close()
    assert tapped(torch.randn(5, 3)).features == {}


def test_gradients_flow_through_features() -> None:
    network = Named()
    TappedNetwork(network, ["before"])(torch.randn(5, 3)).features["before"].sum().backward()
    assert network.body[0].weight.grad is not None
