"""Training, validation and test part of a data set, drawn once from a seed and stratified by class."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import prod

import torch
from torch import Tensor

from kdrun.data import Images, RawData, Undecoded
from kdrun.data.sizes import part_sizes
from kdrun.data.streaming import Loader
from kdrun.errors import UserError


@dataclass(frozen=True)
class Part:
    """A part of a data set.

    images: (N, C, H, W) uint8; a tensor on the labels' device, unless there is a loader.
    labels: (N,) int64.
    ids: (N,) int64, index in the source's training tensor (in its test tensor for an official test part).
    loader: brings images to the labels' device, which otherwise stay where they are, undecoded or not.
    """

    images: Tensor | Undecoded
    labels: Tensor
    ids: Tensor
    loader: Loader | None = None

    def __len__(self) -> int:
        return len(self.labels)

    def batches(self, order: Tensor, batch_size: int) -> Iterator[Tensor]:
        """Images (B, C, H, W) on the labels' device, in an order, so many at a time; the last may be fewer.

        order: int64 indices on the CPU. Raises UserError naming an image that is damaged.
        """
        if not len(order):
            return iter(())
        if self.loader is not None:
            return self.loader.batches(self.images, order, batch_size)
        if not isinstance(self.images, Tensor):
            raise TypeError("undecoded images need a loader")
        images = self.images
        return (images.index_select(0, rows) for rows in torch.split(order.to(images.device), batch_size))


@dataclass(frozen=True)
class Splits:
    """The parts of a data set. `validation` may be empty; class k is `class_names[k]`."""

    train: Part
    validation: Part
    test: Part
    class_names: tuple[str, ...]

    @property
    def parts(self) -> tuple[Part, Part, Part]:
        return self.train, self.validation, self.test

    @property
    def image_bytes(self) -> int:
        """What all images take, decoded."""
        return sum(prod(part.images.shape) for part in self.parts)


def split(raw: RawData, *, test_size: int | float | None, validation_size: int | float, split_seed: int) -> Splits:
    """Splits a data set, the same way for the same seed, every part stratified by class.

    test_size: examples taken off the training tensor for testing; None where the source has a test part.
    validation_size: examples taken off for validation, >= 0. Both sizes are a number of examples (int) or,
        in (0, 1), a share of the source's training tensor (float).
    Returns the parts; what is left for training is in an order whose every prefix is stratified too.
    Raises UserError for sizes that do not fit the data, naming how many examples there are.
    """
    labels = raw.train.labels
    _check_test_part(raw, test_size)
    sizes = part_sizes(len(labels), test_size=test_size, validation_size=validation_size)
    ids = torch.randperm(len(labels), generator=torch.Generator().manual_seed(split_seed))
    test, ids = _take(ids, labels, sizes.test)
    validation, ids = _take(ids, labels, sizes.validation)
    return Splits(
        train=_part(raw.train, _balanced(ids, labels)),
        validation=_part(raw.train, validation),
        test=_part(raw.train, test) if raw.test is None else _whole(raw.test),
        class_names=raw.class_names,
    )


def first(part: Part, size: int | None) -> Part:
    """The first `size` examples of a part, None for all; smaller selections are contained in larger ones.

    Raises UserError where `size` is below the number of classes or above the number of examples.
    """
    if size is None:
        return part
    num_classes = int(torch.bincount(part.labels).count_nonzero())
    if not num_classes <= size <= len(part):
        raise UserError(
            f"train_size (or teacher_train_size) must be from {num_classes} (one example a class) "
            f"to {len(part)} (the whole training part), got {size}"
        )
    return replace(part, images=part.images[:size], labels=part.labels[:size], ids=part.ids[:size])


def _check_test_part(raw: RawData, test_size: int | float | None) -> None:
    if raw.test is None and test_size is None:
        raise UserError(
            f"this data set has no test part of its own: say dataset.test_size=N to take N of its "
            f"{len(raw.train.labels)} examples, or a share such as dataset.test_size=0.2"
        )
    if raw.test is not None and test_size is not None:
        raise UserError(
            f"this data set has a test part of its own ({len(raw.test.labels)} examples): "
            f"say dataset.test_size=null, got {test_size}"
        )


def _balanced(ids: Tensor, labels: Tensor) -> Tensor:
    """`ids` in an order whose every prefix has about the class shares of the whole, ties as they came."""
    classes = labels[ids]
    counts = torch.bincount(classes)
    by_class = torch.argsort(classes, stable=True)
    starts = counts.cumsum(0) - counts
    ranks = torch.empty_like(classes)
    ranks[by_class] = torch.arange(len(ids)) - starts[classes[by_class]]
    # Halfway between the ranks: a class of a single example goes to the training part, not to the test part.
    position = (ranks.double() + 0.5) / counts[classes]
    return ids[torch.argsort(position, stable=True)]


def _take(ids: Tensor, labels: Tensor, size: int) -> tuple[Tensor, Tensor]:
    order = _balanced(ids, labels)
    return order[:size], order[size:]


def _part(images: Images, ids: Tensor) -> Part:
    return Part(images.images[ids], images.labels[ids], ids)


def _whole(images: Images) -> Part:
    return Part(images.images, images.labels, torch.arange(len(images.labels)))
