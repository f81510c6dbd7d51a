"""Named features of a network, read with hooks and without changing it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from kdrun.errors import UserError
from kdrun.signals import Signals


class Tap(NamedTuple):
    """A place in a network: the output (or the first input) of the submodule at a dotted path."""

    module: str
    side: Literal["output", "input"] = "output"


def layers_of(network: nn.Module) -> Mapping[str, Tap]:
    """The layers a network names; a network that names none offers every submodule by its dotted path."""
    named = getattr(network, "layers", None)
    # A user's network may call a list of modules so.
    if isinstance(named, Mapping):
        return named
    return {path: Tap(path) for path, _ in network.named_modules() if path}


class TappedNetwork:
    """A network that gives `Signals`: its logits, and the features at the named layers.

    Raises UserError for a layer that the network does not have, listing those it has.
    """

    def __init__(self, network: nn.Module, layers: Iterable[str] = ()) -> None:
        self.network = network
        self._layers = tuple(dict.fromkeys(layers))
        self._features: dict[str, Tensor] | None = None  # only while the network is called from here
        self._handles = [self._hook(name) for name in self._layers]
        self._ask = self._asked

    def __call__(self, inputs: Tensor | dict[str, Tensor]) -> Signals:
        return self._ask(inputs)

    def compile(self, **options: Any) -> None:
        """Has the network compiled from the next call on, when called from here; by itself it stays as it is.

        options: of `torch.compile`.
        """
        self._ask = torch.compile(self._asked, **options)

    def _asked(self, inputs: Tensor | dict[str, Tensor]) -> Signals:
        features: dict[str, Tensor] = {}
        self._features = features
        try:
            logits = self.network(inputs)
        finally:
            # Handed over, not kept: activations must not outlive the step.
            self._features = None
        # By name, which torch.compile keeps watch on: what it made for other layers is not taken for these.
        return Signals(logits, {name: features[name] for name in self._layers if name in features})

    def close(self) -> None:
        """Takes the hooks off the network again."""
        for handle in self._handles:
            handle.remove()

    def _hook(self, name: str) -> RemovableHandle:
        taps = layers_of(self.network)
        if name not in taps:
            raise UserError(f"{type(self.network).__name__} has no layer {name!r}; it has {', '.join(taps)}")
        path, side = taps[name]
        module = self.network.get_submodule(path)
        if side == "output":
            return module.register_forward_hook(lambda _m, _args, output: self._keep(name, output))
        return module.register_forward_pre_hook(lambda _m, args: self._keep(name, args[0]))

    def _keep(self, name: str, value: Tensor) -> None:
        if self._features is not None:
            self._features[name] = value
