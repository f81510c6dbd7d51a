from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from kdrun.data import Images, RawData
from kdrun.data.split import first, split
from kdrun.errors import UserError


def raw_data(labels: list[int], *, test: list[int] | None = None) -> RawData:
    """Each image is one pixel that shows the example's index (modulo 256)."""

    def images(labels: list[int]) -> Images:
        pixels = (torch.arange(len(labels)) % 256).to(torch.uint8)
        return Images(pixels[:, None, None, None], torch.tensor(labels))

    names = tuple(str(k) for k in range(max(labels) + 1))
    return RawData(images(labels), None if test is None else images(test), names)


def balanced(per_class: int, num_classes: int) -> list[int]:
    return [k for k in range(num_classes) for _ in range(per_class)]


@settings(deadline=None, max_examples=50)
@given(
    labels=st.lists(st.integers(0, 4), min_size=12, max_size=80),
    test_size=st.integers(1, 5),
    validation_size=st.integers(0, 5),
    seed=st.integers(0, 2**31),
)
def test_parts_are_disjoint_and_hold_every_example_once(
    labels: list[int], test_size: int, validation_size: int, seed: int
) -> None:
    splits = split(raw_data(labels), test_size=test_size, validation_size=validation_size, split_seed=seed)
    assert (len(splits.test), len(splits.validation)) == (test_size, validation_size)
    ids = torch.cat([splits.train.ids, splits.validation.ids, splits.test.ids])
    assert ids.sort().values.tolist() == list(range(len(labels)))


@settings(deadline=None, max_examples=50)
@given(
    counts=st.lists(st.integers(1, 30), min_size=2, max_size=5),
    size=st.integers(1, 40),
    seed=st.integers(0, 2**31),
)
def test_every_part_has_its_share_of_each_class(counts: list[int], size: int, seed: int) -> None:
    labels = [k for k, count in enumerate(counts) for _ in range(count)]
    size = min(size, len(labels) - 1)
    splits = split(raw_data(labels), test_size=size, validation_size=0, split_seed=seed)
    got = torch.bincount(splits.test.labels, minlength=len(counts))
    share = size / len(labels)
    assert all(abs(int(n) - share * count) <= 1 for n, count in zip(got, counts, strict=True))


def test_every_example_keeps_its_image_label_and_id() -> None:
    labels = balanced(10, 3)
    splits = split(raw_data(labels), test_size=6, validation_size=6, split_seed=0)
    for part in (splits.train, splits.validation, splits.test):
        assert part.images.flatten().tolist() == part.ids.tolist()
        assert part.labels.tolist() == [labels[i] for i in part.ids.tolist()]


def test_the_same_seed_gives_the_same_split_and_another_seed_another() -> None:
    raw = raw_data(balanced(20, 3))
    ids = [split(raw, test_size=9, validation_size=9, split_seed=seed).train.ids.tolist() for seed in (1, 1, 2)]
    assert ids[0] == ids[1] != ids[2]


def test_an_official_test_part_is_kept_whole_and_in_order() -> None:
    splits = split(raw_data([0, 1] * 5, test=[1, 0, 1]), test_size=None, validation_size=2, split_seed=0)
    assert splits.test.ids.tolist() == [0, 1, 2]
    assert splits.test.labels.tolist() == [1, 0, 1]
    assert len(splits.train) == 8


def test_sizes_may_be_shares_of_the_training_tensor() -> None:
    splits = split(raw_data(balanced(50, 2)), test_size=0.2, validation_size=0.1, split_seed=0)
    assert (len(splits.train), len(splits.validation), len(splits.test)) == (70, 10, 20)


def test_smaller_selections_are_stratified_and_contained_in_larger_ones() -> None:
    train = split(raw_data(balanced(50, 4)), test_size=30, validation_size=10, split_seed=3).train
    for size in range(4, len(train) + 1):
        counts = torch.bincount(first(train, size).labels, minlength=4)
        assert counts.max() - counts.min() <= 2
        assert first(train, size).ids.tolist() == train.ids[:size].tolist()
    assert first(train, None) is train


@pytest.mark.parametrize("seed", range(10))
def test_the_first_k_examples_of_k_balanced_classes_show_each_class(seed: int) -> None:
    train = split(raw_data(balanced(50, 4)), test_size=31, validation_size=10, split_seed=seed).train
    assert sorted(first(train, 4).labels.tolist()) == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("test_size", "validation_size", "official", "message"),
    [
        (None, 0, False, "no test part of its own: say dataset.test_size=N to take N of its 20 examples"),
        (5, 0, True, "has a test part of its own (2 examples): say dataset.test_size=null, got 5"),
        (0, 0, False, "dataset.test_size must be a number of examples from 1 to 19 (there are 20)"),
        (20, 0, False, "dataset.test_size must be a number of examples from 1 to 19 (there are 20)"),
        (1.5, 0, False, "or a share between 0 and 1, got 1.5"),
        (5, -1, False, "dataset.validation_size must be a number of examples from 0 to 19"),
        (10, 10, False, "leave nothing to train on: there are 20 examples"),
    ],
)
def test_sizes_that_do_not_fit_are_refused(
    test_size: int | float | None, validation_size: int, official: bool, message: str
) -> None:
    raw = raw_data([0, 1] * 10, test=[0, 1] if official else None)
    with pytest.raises(UserError) as error:
        split(raw, test_size=test_size, validation_size=validation_size, split_seed=0)
    assert message in error.value.message


@pytest.mark.parametrize("size", [1, 19, 0, -3])
def test_a_train_size_outside_the_training_part_is_refused(size: int) -> None:
    train = split(raw_data([0, 1] * 10), test_size=2, validation_size=0, split_seed=0).train
    with pytest.raises(UserError, match=rf"from 2 \(.*\) to 18 \(.*\), got {size}$"):
        first(train, size)
