"""Linear layers of several networks at once, as one batched product."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable


def stacked_linear(inputs: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """The outputs of K linear layers: inputs_k @ weight_k^T + bias_k.

    inputs: (K, B, in). weight: (K, out, in). bias: (K, out).
    Returns (K, B, out), under autocast in its precision, as a single layer does.
    """
    device = inputs.device.type
    if torch.is_autocast_enabled(device):
        dtype = torch.get_autocast_dtype(device)
        inputs, weight, bias = inputs.to(dtype), weight.to(dtype), bias.to(dtype)
    outputs: Tensor = _StackedLinear.apply(inputs, weight, bias)
    return outputs


class _StackedLinear(torch.autograd.Function):
    """Multiplies backwards as a single linear layer does: autograd's own rule for baddbmm gives the transposed
    product of the weights' gradient, which rounds otherwise and has to be copied into the weights' layout."""

    @staticmethod
    def forward(ctx: Any, inputs: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        ctx.save_for_backward(inputs, weight)
        return torch.baddbmm(bias[:, None], inputs, weight.mT)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor, Tensor]:
        inputs, weight = ctx.saved_tensors
        to_inputs = torch.bmm(gradient, weight) if ctx.needs_input_grad[0] else None
        return to_inputs, torch.bmm(gradient.mT, inputs), gradient.sum(dim=1)
