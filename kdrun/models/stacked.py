"""Linear layers of several networks at once, as one product."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional


def stacked_linear(inputs: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """The outputs of K linear layers: inputs_k @ weight_k^T + bias_k.

    inputs: (K, B, in), or (B, in) where they are the same for all. weight: (K, out, in). bias: (K, out).
    Returns (K, B, out), under autocast in its precision, as a single layer does.
    """
    device = inputs.device.type
    if torch.is_autocast_enabled(device):
        dtype = torch.get_autocast_dtype(device)
        inputs, weight, bias = inputs.to(dtype), weight.to(dtype), bias.to(dtype)
    outputs: Tensor = _StackedLinear.apply(inputs, weight, bias)
    return outputs


class _StackedLinear(torch.autograd.Function):
    """Multiplies and sums backwards as a single linear layer does.

    Autograd's own rule for baddbmm gives the transposed product of the weights' gradient, which rounds otherwise and
    has to be copied into the weights' layout.
    """

    @staticmethod
    def forward(ctx: Any, inputs: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        ctx.save_for_backward(inputs, weight)
        if inputs.dim() == 3:
            return torch.baddbmm(bias[:, None], inputs, weight.mT)
        # As one wide layer, which takes half the time where layers are narrow.
        together = functional.linear(inputs, weight.flatten(0, 1), bias.flatten())  # (B, K * out)
        return together.view(-1, *bias.shape).transpose(0, 1).contiguous()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor, Tensor]:
        inputs, weight = ctx.saved_tensors
        to_inputs = torch.bmm(gradient, weight).sum_to_size(inputs.shape) if ctx.needs_input_grad[0] else None
        to_weight = torch.bmm(gradient.mT, inputs.expand(len(weight), -1, -1))
        return to_inputs, to_weight, gradient.sum(dim=1)
