"""How many examples the parts of a data set have: arithmetic alone, so that a plan can do it without any data."""

from __future__ import annotations

from typing import NamedTuple

from kdrun.errors import UserError


class PartSizes(NamedTuple):
    """Examples of the source's training tensor in each part; test: 0 where the source has a test part of its own."""

    train: int
    validation: int
    test: int


def part_sizes(total: int, *, test_size: int | float | None, validation_size: int | float) -> PartSizes:
    """The sizes of the parts of a training tensor of `total` examples; test_size, validation_size: as for `split`.

    Raises UserError for sizes that do not fit, naming how many examples there are.
    """
    test = 0 if test_size is None else _count("dataset.test_size", test_size, total, lowest=1)
    validation = _count("dataset.validation_size", validation_size, total, lowest=0)
    if test + validation >= total:
        raise UserError(
            f"dataset.test_size={test_size} and dataset.validation_size={validation_size} leave nothing to "
            f"train on: there are {total} examples; make them smaller"
        )
    return PartSizes(total - test - validation, validation, test)


def _count(key: str, size: int | float, total: int, *, lowest: int) -> int:
    if isinstance(size, float) and 0 < size < 1:
        return max(lowest, round(size * total))
    if isinstance(size, float) or not lowest <= size < total:
        raise UserError(
            f"{key} must be a number of examples from {lowest} to {total - 1} (there are {total}), "
            f"or a share between 0 and 1, got {size}"
        )
    return size
