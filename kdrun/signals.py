"""What flows through kdrun: batches of examples and what networks say of them. No logic."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from torch import Tensor


UNLABELLED = -100  # the label of an example whose label is not known to who trains; cross-entropies pass over it


class Batch(NamedTuple):
    """Examples of one step.

    inputs: what the network takes, first dimension B (images: (B, C, H, W) float32, normalised).
    labels: (B,) int64 class indices; UNLABELLED, where `all_labelled` is false, for examples that have none.
    ids: (B,) int64 stable example numbers in the data source, the same in every epoch and run.
    views: (B,) int64, which member of the augmentation family each example shows; 0 is the plain one.
    epoch: number of the epoch, from 0.
    step: number of the batch in its epoch of training, from 0; -1 for a batch that is no step of training.
    all_labelled: whether every example of the data it was taken from has a label.
    """

    inputs: Tensor | dict[str, Tensor]
    labels: Tensor
    ids: Tensor
    views: Tensor
    epoch: int
    step: int = -1
    all_labelled: bool = True


class Signals(NamedTuple):
    """What a network says of a batch.

    logits: (B, K).
    features: hidden activations by layer name, each with first dimension B.
    """

    logits: Tensor
    features: Mapping[str, Tensor] = MappingProxyType({})


class Pair(NamedTuple):
    """What a knowledge term may know of the two networks before training.

    student, teacher: signals on the meta device (shapes only), with a feature for *every* layer that
        the network names. B is arbitrary.
    num_classes: K.
    example_ids: (N,) int64 on the CPU, rising: the ids of the examples that the student trains on.
    """

    student: Signals
    teacher: Signals
    num_classes: int
    example_ids: Tensor
