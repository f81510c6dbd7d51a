"""A trained network as teacher."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from kdrun.models.resnet import CifarResNet
from kdrun.signals import Batch
from kdrun.teachers.network import NetworkTeacher
from kdrun.training.precision import autocast

CPU = torch.device("cpu")


def _network() -> nn.Module:
    torch.manual_seed(0)
    return CifarResNet(in_channels=1, image_size=8, num_classes=3, depth=8, stem_width=4, widths=[4, 4, 8])


def _batch() -> Batch:
    numbers = torch.arange(6)
    return Batch(torch.randn(6, 1, 8, 8), numbers % 3, numbers, torch.zeros_like(numbers), epoch=0)


def test_its_signals_may_be_kept_for_a_gradient() -> None:
    said = NetworkTeacher(_network(), ["stage2", "pooled"], autocast(CPU, "fp32")).signals(_batch())
    for value in (said.logits, *said.features.values()):
        assert not value.requires_grad
        student = torch.ones_like(value, requires_grad=True)
        (student * value).sum().backward()
        assert torch.equal(student.grad, value)


def test_it_says_what_the_network_says_with_fewer_operations() -> None:
    network, batch = _network(), _batch()
    said = NetworkTeacher(network, (), autocast(CPU, "fp32"))
    expected = network.eval()(batch.inputs).detach()
    torch.testing.assert_close(said.signals(batch).logits, expected, rtol=1e-4, atol=1e-5)
    assert not any(isinstance(module, _BatchNorm) for module in said._tapped.network.modules())


def test_the_network_is_left_as_it_was() -> None:
    network = _network().train()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    NetworkTeacher(network, ["stage2"], autocast(CPU, "fp32")).signals(_batch())
    assert network.training
    assert all(parameter.requires_grad for parameter in network.parameters())
    assert not any(module._forward_hooks for module in network.modules())
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
