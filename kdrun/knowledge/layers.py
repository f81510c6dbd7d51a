"""Looks up the layers that a knowledge term reads."""

from __future__ import annotations

from torch import Tensor

from kdrun.errors import UserError
from kdrun.signals import Signals


def feature(signals: Signals, role: str, layer: str) -> Tensor:
    """The feature of one side of a `Pair` at a named layer, for its shape.

    role: whose signals these are, `student` or `teacher`, for the message.
    Raises UserError for a layer that is not there, listing those that are.
    """
    if not signals.features:
        raise UserError(
            f"the {role} gives logits only, as every ensemble does, and has no layer {layer!r}; "
            "use knowledge=response/kd or another of response/"
        )
    if layer not in signals.features:
        raise UserError(f"the {role} has no layer {layer!r}; choose one of: {', '.join(signals.features)}")
    return signals.features[layer]


def embeddings(signals: Signals, layer: str) -> Tensor:
    """One vector for each example, whatever the layer's shape: (B, ...) -> (B, D)."""
    return signals.features[layer].flatten(1)
