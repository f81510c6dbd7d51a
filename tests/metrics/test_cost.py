from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from kdrun.metrics.cost import flops, latency_ms, parameters


class Wordy(nn.Module):
    """Takes a dict of tensors."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 3)

    def forward(self, inputs: dict[str, Tensor]) -> Tensor:
        return self.linear(inputs["values"])


def _convolutional() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8), nn.Flatten(), nn.Linear(8 * 36, 5)
    )


def test_parameters_count_frozen_ones_and_shared_ones_once() -> None:
    first = nn.Linear(4, 4)
    network = nn.Sequential(first, first, nn.Linear(4, 2)).requires_grad_(False)
    assert parameters(network) == (16 + 4) + (8 + 2)


def test_a_multiply_add_counts_as_two_operations() -> None:
    conv, linear = 36 * 8 * 3 * 9, 8 * 36 * 5
    assert flops(_convolutional(), torch.zeros(4, 3, 6, 6)) == 2 * (conv + linear)


def test_flops_on_the_meta_device_are_the_same() -> None:
    inputs = torch.zeros(1, 3, 6, 6)
    assert flops(_convolutional().to("meta"), inputs.to("meta")) == flops(_convolutional(), inputs)


def test_flops_of_dict_inputs_are_of_one_example() -> None:
    assert flops(Wordy(), {"values": torch.zeros(10, 4)}) == 2 * 4 * 3


@pytest.mark.parametrize("measure", [flops, latency_ms])
def test_measuring_leaves_no_trace_in_the_network(measure) -> None:
    network = _convolutional().train()
    network[0].eval()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    measure(network, torch.ones(2, 3, 6, 6))
    assert [module.training for module in network] == [False, True, True, True]
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


def test_latency_is_of_as_many_examples_as_asked_for() -> None:
    seen = []
    network = nn.Linear(4, 3)
    network.register_forward_hook(lambda module, inputs, output: seen.append(len(inputs[0])))
    assert latency_ms(network, torch.zeros(8, 4)) > 0
    assert set(seen) == {1}
    seen.clear()
    latency_ms(network, torch.zeros(8, 4), batch_size=8)
    assert set(seen) == {8}


def test_more_examples_than_there_are_is_an_error() -> None:
    with pytest.raises(ValueError, match="8 examples asked for"):
        latency_ms(nn.Linear(4, 3), torch.zeros(2, 4), batch_size=8)
