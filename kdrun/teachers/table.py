"""A teacher that was asked beforehand about every example in every view."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from kdrun.signals import Batch, Signals
from kdrun.teachers.packing import unpacked


class TableTeacher:
    """Looks up what was said of an example in a view.

    kept: packed arrays (V, N, ...) by name, for V views of N examples, on the device of the batches.
    ids: (N,) the examples' ids, on the same device.
    A batch may hold these examples and views only; any other raises IndexError.
    """

    def __init__(self, kept: Mapping[str, Tensor], ids: Tensor) -> None:
        self._kept = {name: values.flatten(0, 1) for name, values in kept.items()}
        self._count = len(ids)
        nowhere = max(len(values) for values in self._kept.values())
        self._rows = torch.full((int(ids.max()) + 1,), nowhere, device=ids.device)
        self._rows[ids] = torch.arange(len(ids), device=ids.device)

    def signals(self, batch: Batch) -> Signals:
        places = batch.views * self._count + self._rows[batch.ids]
        return unpacked({name: values.index_select(0, places) for name, values in self._kept.items()})
