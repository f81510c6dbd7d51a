from __future__ import annotations

import torch
from torch import Tensor, nn

from kdrun.models.discovery import discover_layers, last_linear, run_on_shapes
from kdrun.models.taps import Tap


def chain(*, linear: bool = True) -> nn.Module:
    """Maps of 8x8, 4x4 and 2x2 pixels; pooling stands before a stage, at its end, and behind the last."""
    features = nn.Sequential(
        nn.Sequential(nn.Conv2d(1, 2, 3, padding=1), nn.ReLU()),
        nn.MaxPool2d(2),
        nn.Conv2d(2, 3, 3, padding=1),
        nn.BatchNorm2d(3),
        nn.ReLU(),
        nn.Conv2d(3, 4, 3, stride=2, padding=1),
        nn.AvgPool2d(2),
    )
    return nn.Sequential(features, nn.Flatten(), nn.Linear(4, 2) if linear else nn.Identity())


def test_stages_end_where_the_resolution_does() -> None:
    assert discover_layers(chain(), (1, 8, 8)) == {
        "stem": Tap("0.0.1"),
        "stage1": Tap("0.4"),
        "stage1_preact": Tap("0.4", "input"),
        "stage2": Tap("0.5"),
        "stage2_preact": Tap("0.5"),
        "pooled": Tap("2", "input"),
    }


def test_without_a_linear_layer_there_is_no_pooled() -> None:
    assert "pooled" not in discover_layers(chain(linear=False), (1, 8, 8))
    assert last_linear(chain(linear=False)) is None


def test_a_network_without_stages_offers_its_submodules() -> None:
    network = nn.Sequential(nn.Flatten(), nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2))
    assert list(discover_layers(network, (1, 2, 2))) == ["0", "1", "2", "3", "pooled"]


def test_a_module_that_is_called_twice_counts_by_its_last_call() -> None:
    class Block(nn.Module):
        def __init__(self, stride: int) -> None:
            super().__init__()
            self.conv = nn.Conv2d(1, 1, 3, stride=stride, padding=1)
            self.relu = nn.ReLU()

        def forward(self, features: Tensor) -> Tensor:
            out: Tensor = self.relu(self.conv(self.relu(features)))
            return out

    layers = discover_layers(nn.Sequential(Block(1), Block(2), Block(2)), (1, 8, 8))
    assert layers["stage2"] == Tap("2")
    assert layers["stage2_preact"] == Tap("2.relu", "input")


def test_watching_leaves_the_network_as_it_was() -> None:
    network = chain()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    discover_layers(network, (1, 8, 8))
    assert network.training
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert not any(module._forward_hooks for module in network.modules())


def test_shapes_come_from_the_meta_device() -> None:
    output = run_on_shapes(chain(), (1, 8, 8))
    assert isinstance(output, Tensor)
    assert output.is_meta
    assert output.shape == (2, 2)
