"""Which examples of the training part a run is shown, and which of them with their labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch

from kdrun.data.classes import class_indices
from kdrun.data.split import Part, Splits, first
from kdrun.errors import UserError
from kdrun.signals import UNLABELLED


def shown(splits: Splits, size: int | None, examples: Mapping[str, Any]) -> Part:
    """The examples that a run is shown; whose label is kept from it has the label UNLABELLED. Ids stay as they are.

    size: so many examples, the first ones of the training part, have labels; None: all.
    examples: empty: exactly those. `transfer`: both (all, the others without labels) or unlabelled (the others only).
        `omit`: classes whose examples are left out, as `class_indices` takes them.
    Raises UserError for a class that is not there, and where nothing is left, or left unlabelled.
    """
    part = first(splits.train, size)
    if "transfer" in examples:
        part = _transferred(splits.train, len(part), examples["transfer"])
    if "omit" in examples:
        part = _without(part, splits, examples["omit"])
    return part


def epoch_length(splits: Splits, size: int | None, examples: Mapping[str, Any]) -> int | None:
    """How many examples an epoch shows; None: each example that is shown once.

    With `as_long_as` in `examples`, as many as with that `transfer`: a baseline takes as many steps as its student.
    """
    if "as_long_as" not in examples:
        return None
    renamed = {"transfer" if key == "as_long_as" else key: value for key, value in examples.items()}
    return len(shown(splits, size, renamed))


def _transferred(train: Part, labelled: int, transfer: str) -> Part:
    if labelled == len(train):
        raise UserError(
            f"transfer={transfer} needs examples without labels, and train_size labels the whole training part "
            f"({labelled:,} examples); type a smaller train_size"
        )
    labels = torch.cat([train.labels[:labelled], torch.full_like(train.labels[labelled:], UNLABELLED)])
    rows = slice(labelled if transfer == "unlabelled" else 0, None)
    return replace(train, images=train.images[rows], labels=labels[rows], ids=train.ids[rows])


def _without(part: Part, splits: Splits, classes: Sequence[str]) -> Part:
    # By what the classes really are, also of examples whose labels are kept from the run.
    omitted = torch.tensor(class_indices(classes, splits.class_names), device=part.ids.device)
    out = splits.train.ids[torch.isin(splits.train.labels, omitted)]
    rows = torch.isin(part.ids, out, invert=True).nonzero().flatten()
    if not len(rows):
        raise UserError(f"to omit {', '.join(classes)} leaves no example to train on; omit fewer classes")
    images = part.images[rows.to(part.images.device) if isinstance(part.images, torch.Tensor) else rows.cpu()]
    return replace(part, images=images, labels=part.labels[rows], ids=part.ids[rows])
