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

from collections.abc import Iterable, Sequence
from typing import Any, Protocol, runtime_checkable

from torch import Tensor

from kdrun.models.taps import Tap, TappedNetwork
from kdrun.signals import Batch


@runtime_checkable
class Constrained(Protocol):
    """A network whose weights are bounded: the trainer calls `constrain` after every optimiser step."""

    def constrain(self) -> None:
        """Brings the weights back within their bounds, in place and without gradient."""
        ...


@runtime_checkable
class Stackable(Protocol):
    """A network that can be computed at once with others of its architecture.

    A class that changes `forward` changes `stacked` with it.
    noisy: whether it draws random numbers in training; its draws would not be those of a single run.
    """

    @property
    def noisy(self) -> bool: ...

    def stacked(self, inputs: Tensor | dict[str, Tensor], parameters: Sequence[Tensor]) -> Tensor:
        """Logits (K, B, classes) of K networks of this architecture.

        inputs: (B, ...), the same for all. parameters: in the order of `parameters()`, each (K, *its shape).
        """
        ...


@runtime_checkable
class Settling(Protocol):
    """A network that looks at training examples once, before it is trained or, if it is not, evaluated."""

    def settle(self, batches: Iterable[Batch]) -> None:
        """batches: the examples of the training part as they are, on the network's device."""
        ...


@runtime_checkable
class FromParents(Protocol):
    """A network that is made of others: built as `model(networks, **numbers)`, of the networks of the runs that its run
    is made of, in order, or of the one that it starts from; with `teacher=`, where it is fitted to a teacher's outputs.

    `classes` among its numbers are named in its file or plan, and reach it as indices.
    It may hold them as they are and must not change them; to train on, it copies them.
    """

    def own_state(self) -> dict[str, Tensor]:
        """The part of its state dict that its parents' files do not hold."""
        ...


@runtime_checkable
class Specialised(Protocol):
    """A network that knows some classes better than the others, or that is made of such.

    sets: (M, K) bool, the classes of each of M specialists; (M, 1) before they have settled.
    """

    @property
    def sets(self) -> Tensor: ...


@runtime_checkable
class Telling(Protocol):
    """A network that found something out when it settled."""

    def told(self) -> dict[str, Any]:
        """What goes into its run's result beside what is measured: numbers and texts by name."""
        ...


__all__ = ["Constrained", "FromParents", "Settling", "Specialised", "Stackable", "Tap", "TappedNetwork", "Telling"]
