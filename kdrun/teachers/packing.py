"""Signals as plain arrays by name, to be kept, and back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor

from kdrun.signals import Signals

LOGITS = "logits"
_FEATURE = "features."


def names_of(layers: Iterable[str]) -> tuple[str, ...]:
    """Names of the arrays that hold the logits and these features."""
    return LOGITS, *(f"{_FEATURE}{layer}" for layer in layers)


def layers_of(names: Iterable[str]) -> tuple[str, ...]:
    """The layers whose features arrays with these names hold."""
    return tuple(name.removeprefix(_FEATURE) for name in names if name != LOGITS)


def packed(signals: Signals, names: Iterable[str]) -> dict[str, Tensor]:
    """The arrays (B, ...) with these names; maps with the channels last, as they lie in memory."""
    of_layers = {f"{_FEATURE}{layer}": value for layer, value in signals.features.items()}
    every = {LOGITS: signals.logits, **of_layers}
    return {name: every[name].permute(0, 2, 3, 1) if every[name].dim() == 4 else every[name] for name in names}


def unpacked(arrays: Mapping[str, Tensor]) -> Signals:
    """The signals that were packed, as float32 in memory of their own, laid out as they were."""
    copies = {name: value.to(torch.float32, copy=True) for name, value in arrays.items()}
    maps = {name: value.permute(0, 3, 1, 2) if value.dim() == 4 else value for name, value in copies.items()}
    features = {name.removeprefix(_FEATURE): value for name, value in maps.items() if name != LOGITS}
    return Signals(maps[LOGITS], features)
