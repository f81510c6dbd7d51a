"""Several linear layers as one are what each of them is."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from kdrun.models.stacked import stacked_linear

K, BATCH, WIDTH, OUT = 3, 20, 12, 5


def _leaves(dtype: torch.dtype) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    shapes = (K, BATCH, WIDTH), (K, OUT, WIDTH), (K, OUT)
    inputs, weight, bias = (torch.randn(*shape, generator=generator, dtype=dtype) for shape in shapes)
    return inputs.requires_grad_(), weight.requires_grad_(), bias.requires_grad_()


def _each(leaves: tuple[Tensor, Tensor, Tensor]) -> list[tuple[Tensor, ...]]:
    return [tuple(part.detach().clone().requires_grad_() for part in row) for row in zip(*leaves, strict=True)]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_outputs_and_gradients_are_those_of_single_layers(dtype: torch.dtype) -> None:
    leaves = _leaves(dtype)
    outputs = stacked_linear(*leaves)
    outputs.square().sum().backward()
    for number, single in enumerate(_each(leaves)):
        alone = functional.linear(*single)
        alone.square().sum().backward()
        torch.testing.assert_close(outputs[number], alone, rtol=1e-5, atol=1e-6)
        for stacked, own in zip(leaves, single, strict=True):
            assert stacked.grad is not None
            torch.testing.assert_close(stacked.grad[number], own.grad, rtol=1e-5, atol=1e-5)


def test_its_gradients_are_those_of_finite_differences() -> None:
    assert torch.autograd.gradcheck(stacked_linear, _leaves(torch.float64))


def test_weights_gradients_lie_as_the_weights_do() -> None:
    leaves = _leaves(torch.float32)
    stacked_linear(*leaves).sum().backward()
    assert all(leaf.grad is not None and leaf.grad.is_contiguous() for leaf in leaves)


def test_inputs_that_are_shared_and_need_no_gradient_get_none() -> None:
    _, weight, bias = _leaves(torch.float32)
    shared = torch.randn(BATCH, WIDTH).expand(K, -1, -1)
    stacked_linear(shared, weight, bias).sum().backward()
    assert weight.grad is not None
    assert shared.grad is None


def test_under_autocast_it_computes_in_bf16_and_gives_gradients_in_float32() -> None:
    leaves = _leaves(torch.float32)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        outputs = stacked_linear(*leaves)
        alone = torch.stack([functional.linear(*single) for single in _each(leaves)])
    assert outputs.dtype is torch.bfloat16
    torch.testing.assert_close(outputs, alone, rtol=2**-7, atol=2**-7)
    outputs.float().sum().backward()
    assert {leaf.grad.dtype for leaf in leaves if leaf.grad is not None} == {torch.float32}
