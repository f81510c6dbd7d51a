"""What it costs to have a teacher's signals live, from a table or from a schedule: forward passes and bytes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from math import prod
from typing import NamedTuple

from kdrun.experiment.caching import Kind, folder_name
from kdrun.experiment.lab import Data, Lab
from kdrun.experiment.networks import mode_from, shapes_only
from kdrun.runs.cache import Cache
from kdrun.runs.cache_folder import CacheFolder
from kdrun.runs.spec import RunSpec
from kdrun.teachers.packing import LOGITS, names_of

_ITEM_BYTES = {"fp32": 4, "fp16": 2}

Sizes = Mapping[str, int]  # bytes for one example, by the name of the signal


class Passage(NamedTuple):
    """Runs that train side by side and ask one teacher: each step of theirs is one pass of it, asked live.

    sizes: of the signals that any of them reads.
    """

    specs: tuple[RunSpec, ...]
    sizes: Sizes

    @property
    def reads_features(self) -> bool:
        return set(self.sizes) != {LOGITS}


class Cost(NamedTuple):
    """asked: forward passes of the teacher over an example. new_bytes: to be written. extent: what it is, in words."""

    kind: Kind
    asked: int
    new_bytes: int
    extent: str


def sizes_of(spec: RunSpec, data: Data) -> Sizes | None:
    """What a run reads of its teacher, from shapes alone; None where it asks none."""
    parts = shapes_only(spec, data)
    layers = mode_from(spec, parts).teacher_layers
    if layers is None:
        return None
    teacher, item = parts.pair.teacher, _ITEM_BYTES[spec.teacher_dtype]
    shapes = [teacher.logits.shape, *(teacher.features[layer].shape for layer in layers)]
    return {name: item * prod(shape[1:]) for name, shape in zip(names_of(layers), shapes, strict=True)}


class Costs:
    """Costs of passages under one teacher on one part of the data, all in one family of views.

    device: the kind of it, cpu or cuda. promised: signals that a table will hold in any case.
    """

    def __init__(self, passages: Sequence[Passage], lab: Lab, device: str, promised: Iterable[str] = ()) -> None:
        self._passages, self._promised = passages, set(promised)
        self._lab, self._device = lab, device
        self._cache = Cache(lab.store.outputs)
        self._spec = passages[0].specs[0]
        self._data = lab.data(self._spec.dataset)

    def live(self) -> Cost:
        asked = sum(one.specs[0].recipe["epochs"] * self._seen(one.specs[0]) for one in self._passages)
        return Cost("live", asked, 0, "")

    def table(self) -> Cost:
        """Every example in every view once, unless all of it is there."""
        views, count = self._data.family(self._spec).count, len(self._data.training_part(self._spec))
        folder = self._folder("table", self._spec)
        sizes = _union(self._passages)
        new = [name for name in sizes if name not in self._promised and not folder.holds(name)]
        extent = f"{count:,} examples x {_count(views, 'view')} ({', '.join(sizes)})"
        return Cost("table", views * count if new else 0, views * count * sum(sizes[name] for name in new), extent)

    def schedule(self) -> Cost:
        """Every stream of batches once, but for the epochs that are there; several at once may ask more."""
        asked = new_bytes = epochs = 0
        for spec, passages in self._streams():
            sizes, folder, seen = _union(passages), self._folder("schedule", spec), self._seen(spec)
            length = max(one.specs[0].recipe["epochs"] for one in passages)
            epochs += length
            for epoch in range(length):
                new = [name for name in sizes if not folder.holds(name, epoch)]
                asked += seen if new else 0
                new_bytes += seen * sum(sizes[name] for name in new)
        extent = (
            f"{_count(epochs, 'epoch')} of {self._seen(self._spec):,} examples ({', '.join(_union(self._passages))})"
        )
        return Cost("schedule", asked, new_bytes, extent)

    def _streams(self) -> Iterator[tuple[RunSpec, list[Passage]]]:
        """Passages that see the same batches, as far as each of them goes."""
        streams: dict[str, list[Passage]] = {}
        for one in self._passages:
            streams.setdefault(folder_name("schedule", one.specs[0], self._device), []).append(one)
        for passages in streams.values():
            yield passages[0].specs[0], passages

    def _folder(self, kind: Kind, spec: RunSpec) -> CacheFolder:
        return self._cache.folder(folder_name(kind, spec, self._device))

    def _seen(self, spec: RunSpec) -> int:
        """Examples that an epoch shows."""
        stream = self._data.training_batches(spec)
        return stream.steps_per_epoch * stream.batch_size


def _union(passages: Iterable[Passage]) -> dict[str, int]:
    return {name: size for one in passages for name, size in one.sizes.items()}


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
