"""Names the layers of a network that does not name them itself, by watching one forward pass."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import torch
from torch import Tensor, nn
from torch.func import functional_call

from kdrun.models.taps import Tap

_BATCH = 2
_FEWEST_RESOLUTIONS = 3
_POOLING = (nn.MaxPool2d, nn.AvgPool2d, nn.AdaptiveAvgPool2d)
_ACTIVATIONS = (nn.ReLU, nn.ReLU6, nn.Hardswish, nn.SiLU)


def discover_layers(network: nn.Module, image: tuple[int, int, int]) -> dict[str, Tap]:
    """The layers stem, stage1, stage1_preact, ... and pooled of a convolutional network.

    The stem ends where the images' first resolution inside the network ends, stage1 where the second does,
    and so on; poolings end none. `pooled` is the input of the last linear layer, left out where there is
    none. A network without square maps of at least three resolutions has a layer for every submodule, by its
    dotted path.
    image: (C, H, W) of the images to watch, H = W. The network's activations must not work in place.
    """
    outputs = _outputs(network, image)
    trunk = [(path, module) for path, module in _unfolded(network) if path in outputs]
    # A later path replaces an earlier one of the same resolution: what stays is the end of each run.
    ends = {
        outputs[path].shape[-1]: path
        for path, module in trunk
        if _is_map(outputs[path]) and not isinstance(module, _POOLING)
    }
    named = {path: Tap(path) for path in outputs}
    if len(ends) >= _FEWEST_RESOLUTIONS:
        named = _staged(network, outputs, list(ends.values()))
    head = last_linear(network)
    return named if head is None else {**named, "pooled": Tap(head, "input")}


def last_linear(network: nn.Module) -> str | None:
    """Path of the linear layer that stands last."""
    paths = [path for path, module in network.named_modules() if isinstance(module, nn.Linear)]
    return paths[-1] if paths else None


def run_on_shapes(network: nn.Module, image: tuple[int, int, int]) -> object:
    """What the network gives in training for two images (C, H, W), on the meta device; it stays as it is."""
    state = {**dict(network.named_parameters()), **dict(network.named_buffers())}
    on_meta = {name: value.to("meta") for name, value in state.items()}
    with torch.no_grad():
        return functional_call(network, on_meta, (torch.empty(_BATCH, *image, device="meta"),))


def _staged(network: nn.Module, outputs: Mapping[str, Tensor], ends: list[str]) -> dict[str, Tap]:
    named = {"stem": Tap(ends[0])}
    for number, path in enumerate(ends[1:], start=1):
        named[f"stage{number}"] = Tap(path)
        named[f"stage{number}_preact"] = _before_activation(network, outputs, path)
    return named


def _outputs(network: nn.Module, image: tuple[int, int, int]) -> dict[str, Tensor]:
    """The last output of every submodule that gives a tensor with a row for each image, in order of call."""
    outputs: dict[str, Tensor] = {}

    def keep(path: str, output: object) -> None:
        if isinstance(output, Tensor) and output.dim() and output.shape[0] == _BATCH:
            outputs[path] = output

    handles = [
        module.register_forward_hook(lambda _m, _args, output, path=path: keep(path, output))
        for path, module in network.named_modules()
        if path
    ]
    try:
        run_on_shapes(network, image)
    finally:
        for handle in handles:
            handle.remove()
    return outputs


def _unfolded(network: nn.Module, prefix: str = "") -> Iterator[tuple[str, nn.Module]]:
    """The children, with sequences replaced by what they hold."""
    for name, child in network.named_children():
        if isinstance(child, nn.Sequential | nn.ModuleList):
            yield from _unfolded(child, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", child


def _is_map(output: Tensor) -> bool:
    return output.dim() == 4 and output.shape[-1] == output.shape[-2] > 1


def _before_activation(network: nn.Module, outputs: Mapping[str, Tensor], path: str) -> Tap:
    """The input of the activation whose output is the stage's; the stage's output where there is none."""
    for name, module in network.named_modules():
        if isinstance(module, _ACTIVATIONS) and outputs.get(name) is outputs[path]:
            return Tap(name, "input")
    return Tap(path)
