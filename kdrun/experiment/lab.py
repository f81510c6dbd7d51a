"""What the runs of one process share: the device, the data, and finished networks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary

import torch
from torch import Tensor, nn

from kdrun.data import Room
from kdrun.data.batches import Batches, every_view, plain_batches
from kdrun.data.normalise import Normalise, channel_statistics
from kdrun.data.placement import place
from kdrun.data.shown import epoch_length, shown
from kdrun.data.split import Part, Splits, split
from kdrun.data.views import Crop
from kdrun.errors import UserError
from kdrun.experiment.build import source_of, users_errors
from kdrun.experiment.caching import Caching, Kind
from kdrun.runs.identity import identity_of, text
from kdrun.runs.spec import RunSpec
from kdrun.runs.store import Store
from kdrun.training.compiling import AS_WRITTEN, Compiling
from kdrun.training.precision import compute_fp32_as_fp32

EVALUATION_BATCH = 1000
ALL_THE_ROOM = Room(memory_share=1.0, loader_workers=0)
LIVE = Caching()


@dataclass(frozen=True)
class Data:
    """A data set, split, with its normalisation."""

    splits: Splits
    normalise: Normalise

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(C, H, W)."""
        _, channels, height, width = self.splits.train.images.shape
        return channels, height, width

    @property
    def placement(self) -> str:
        """resident (decoded, on the device) or streamed."""
        return "streamed" if self.splits.train.loader else "resident"

    @property
    def num_classes(self) -> int:
        return len(self.splits.class_names)

    def training_part(self, spec: RunSpec) -> Part:
        """The examples that a run trains on."""
        return shown(self.splits, spec.train_size, spec.examples)

    def training_inputs(self, spec: RunSpec) -> Part:
        """What a run may look at without labels: what it trains on, and the images of the classes it omits."""
        kept = {key: value for key, value in spec.examples.items() if key != "omit"}
        return shown(self.splits, spec.train_size, kept)

    def training_batches(self, spec: RunSpec, special: Tensor | None = None) -> Batches:
        """The stream of batches that a run trains on.

        special: (K,) bool, the set of a specialist; what only asks how long the stream is may leave it out.
        """
        recipe, part = spec.recipe, self.training_part(spec)
        return Batches(
            part,
            batch_size=recipe["batch_size"],
            family=self.family(spec),
            normalise=self.normalise,
            seed=spec.order_seed,
            favoured=None if special is None else special[part.labels],
            length=epoch_length(self.splits, spec.train_size, spec.examples),
        )

    def family(self, spec: RunSpec) -> Crop:
        """The views that a run sees its examples in."""
        return Crop(**spec.recipe["augment"])

    def every_view(self, spec: RunSpec) -> Any:
        """Batches of all that a run may see, in an order that does not depend on the run."""
        part, family = self.training_part(spec), self.family(spec)
        return every_view(part, batch_size=EVALUATION_BATCH, family=family, normalise=self.normalise)

    def evaluate_on(self, part: Part) -> Any:
        """Plain batches of a part."""
        return plain_batches(part, batch_size=EVALUATION_BATCH, normalise=self.normalise)


class Lab:
    """Loads data sets once for all the runs of a process.

    device: where networks are trained. data_root: where data sets are looked for.
    room: what data may take; unless it is given, all the memory there is, and no processes.
    compiling: of the networks that train and teach.
    caching: how teachers' signals reach the runs; live unless said otherwise.
    """

    def __init__(
        self,
        store: Store,
        device: torch.device,
        data_root: Path,
        *,
        room: Room = ALL_THE_ROOM,
        compiling: Compiling = AS_WRITTEN,
        caching: Caching = LIVE,
    ) -> None:
        compute_fp32_as_fp32()
        self.store = store
        self.device = device
        self.data_root = data_root
        self.room = room
        self.compiling = compiling
        self.caching = caching
        self._data: dict[str, Data] = {}
        # Finished runs' networks by fingerprint, while anyone uses them: a long plan has hundreds.
        self.networks: WeakValueDictionary[str, nn.Module] = WeakValueDictionary()

    def data(self, dataset: Mapping[str, Any]) -> Data:
        """The data set, loaded at the first call. Raises UserError for data that are missing or damaged."""
        key = text(identity_of("dataset", dataset))
        if key not in self._data:
            self._data[key] = self._load(dataset)
        return self._data[key]

    def teacher_signals(self, spec: RunSpec) -> Kind | None:
        """How a teacher's signals reach a run: as decided, within what a run that was begun can go on with.

        Raises UserError where the description of a run that was begun is damaged.
        """
        folder = self.store.folder(spec)
        began = folder.description().get("teacher_signals") if folder.is_started else None
        return self.caching.kind_of(spec, began)

    def _load(self, dataset: Mapping[str, Any]) -> Data:
        source = source_of(dataset)
        with users_errors(f"cannot load {dataset['name']}"):
            raw = source.load(self.data_root)
        splits = split(
            raw,
            test_size=dataset["test_size"],
            validation_size=dataset["validation_size"],
            split_seed=dataset["split_seed"],
        )
        placed = place(splits, self.device, self.room)
        mean, std = dataset["mean"], dataset["std"]
        if (mean is None) != (std is None):
            raise UserError("dataset.mean and dataset.std go together: give both, or null for both to compute them")
        normalise = channel_statistics(placed.train) if mean is None else Normalise(tuple(mean), tuple(std))
        data = Data(placed, normalise)
        normalise(torch.zeros(1, *data.image_shape))  # refuses numbers that are not one for each channel
        return data
