"""What a network costs: parameters, floating-point operations, latency."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

Inputs = Tensor | dict[str, Tensor]

WARM_UP = 5  # forwards that are not timed: allocator, kernel choice, caches
FORWARDS = 21  # timed forwards; odd, so that the median is one of them


def parameters(network: nn.Module) -> int:
    """Number of parameters, trained or frozen; one that is shared counts once, buffers don't count."""
    return sum(parameter.numel() for parameter in network.parameters())


def flops(network: nn.Module, inputs: Inputs) -> int:
    """Floating-point operations of one forward pass of one example; a multiply-add counts as 2.

    Matrix products, convolutions and attention are counted; biases, norms, activations and pooling are not.

    network: on the device of the inputs, which may be the meta device.
    inputs: (B, ...) or a dict of such, B >= 1; the first example is used.
    """
    example = _first(inputs, 1)
    with _evaluating(network), torch.no_grad(), FlopCounterMode(display=False) as counter:
        network(example)
    return int(counter.get_total_flops())


def latency_ms(network: nn.Module, inputs: Inputs, *, batch_size: int = 1) -> float:
    """Median time of a forward pass, milliseconds, after a warm-up, in evaluation and inference mode.

    network: on the device of the inputs.
    inputs: (B, ...) or a dict of such; the first `batch_size` examples are used.
    batch_size: examples in a forward pass, in [1, B].
    """
    batch = _first(inputs, batch_size)
    with _evaluating(network), torch.inference_mode():
        for _ in range(WARM_UP):
            network(batch)
        return statistics.median(_forward_ms(network, batch) for _ in range(FORWARDS))


def _forward_ms(network: nn.Module, batch: Inputs) -> float:
    _synchronise(batch)
    start = time.perf_counter()
    network(batch)
    _synchronise(batch)
    return 1e3 * (time.perf_counter() - start)


def _synchronise(batch: Inputs) -> None:
    device = next(iter(_tensors(batch))).device
    if device.type != "cpu":
        torch.accelerator.synchronize(device)


def _first(inputs: Inputs, count: int) -> Inputs:
    if any(not 1 <= count <= len(tensor) for tensor in _tensors(inputs)):
        raise ValueError(f"{count} examples asked for, the inputs do not have as many")
    if isinstance(inputs, Tensor):
        return inputs[:count]
    return {name: tensor[:count] for name, tensor in inputs.items()}


def _tensors(inputs: Inputs) -> list[Tensor]:
    return [inputs] if isinstance(inputs, Tensor) else list(inputs.values())


@contextmanager
def _evaluating(network: nn.Module) -> Iterator[None]:
    """Evaluation mode for a while; each module gets back the mode that it had."""
    modes = [(module, module.training) for module in network.modules()]
    network.eval()
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training
