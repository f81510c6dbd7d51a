"""Networks.

A model is built as `model(in_channels=, image_size=, num_classes=, **numbers)` from its YAML file. It maps
(B, C, H, W) images to (B, K) logits, names the places where features may be read in an attribute
`layers: Mapping[str, Tap]`, and has its last linear layer in an attribute `classifier`. The names are:

    stem            where the first convolutions end
    stage1, ...     the map that leaves a stage
    stage1_preact   that map before the stage's last ReLU; where no ReLU ends the stage, the map itself
    pooled          the (B, D) vector that enters the classifier
"""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from kdrun.models.taps import Tap, TappedNetwork


@runtime_checkable
class Constrained(Protocol):
    """A network whose weights are bounded: the trainer calls `constrain` after every optimiser step."""

    def constrain(self) -> None:
        """Brings the weights back within their bounds, in place and without gradient."""
        ...


__all__ = ["Constrained", "Tap", "TappedNetwork"]
