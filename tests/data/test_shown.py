"""Which examples a run is shown, and with which labels."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from kdrun.data.shown import epoch_length, shown
from kdrun.data.split import Part, Splits, first
from kdrun.errors import UserError
from kdrun.signals import UNLABELLED

NAMES = ("cat", "dog", "0")


def _part(examples: int) -> Part:
    ids = torch.randperm(examples, generator=torch.Generator().manual_seed(1)) + 50
    return Part(ids.view(-1, 1, 1, 1).to(torch.uint8), torch.arange(examples) % 3, ids)


SPLITS = Splits(_part(30), _part(3), _part(3), NAMES)
TRAIN = SPLITS.train


def _same(part: Part, rows: torch.Tensor, labels: torch.Tensor) -> bool:
    pairs = ((part.images, TRAIN.images[rows]), (part.ids, TRAIN.ids[rows]), (part.labels, labels))
    return all(torch.equal(torch.as_tensor(ours), torch.as_tensor(theirs)) for ours, theirs in pairs)


def test_without_anything_said_it_is_the_first_examples_with_their_labels() -> None:
    assert _same(shown(SPLITS, 12, {}), torch.arange(12), TRAIN.labels[:12])
    assert shown(SPLITS, None, {}) == first(TRAIN, None)


def test_both_shows_everything_and_labels_the_first_alone() -> None:
    labels = torch.where(torch.arange(30) < 12, TRAIN.labels, UNLABELLED)
    assert _same(shown(SPLITS, 12, {"transfer": "both"}), torch.arange(30), labels)


def test_unlabelled_shows_the_rest_alone() -> None:
    rest = shown(SPLITS, 12, {"transfer": "unlabelled"})
    assert _same(rest, torch.arange(12, 30), torch.full((18,), UNLABELLED))


@pytest.mark.parametrize("classes", [["dog"], ["1"], ["1", "dog"]])
def test_a_class_is_omitted_by_its_name_or_index(classes: list[str]) -> None:
    rows = (TRAIN.labels[:12] != 1).nonzero().flatten()
    assert _same(shown(SPLITS, 12, {"omit": classes}), rows, TRAIN.labels[rows])


def test_a_name_goes_before_an_index() -> None:
    assert set(shown(SPLITS, None, {"omit": ["0"]}).labels.tolist()) == {0, 1}


def test_a_class_is_omitted_where_its_label_is_not_shown_too() -> None:
    part = shown(SPLITS, 12, {"omit": ["cat"], "transfer": "both"})
    rows = (TRAIN.labels != 0).nonzero().flatten()
    assert _same(part, rows, torch.where(rows < 12, TRAIN.labels[rows], UNLABELLED))


@pytest.mark.parametrize(
    ("examples", "line"),
    [
        ({"omit": ["bird"]}, "there is no class 'bird' to omit; the classes are cat, dog, 0"),
        ({"omit": ["3"]}, "there is no class '3' to omit; the classes are cat, dog, 0"),
        ({"omit": ["-1"]}, "there is no class '-1' to omit; the classes are cat, dog, 0"),
        ({"omit": ["cat", "dog", "0"]}, "to omit cat, dog, 0 leaves no example to train on; omit fewer classes"),
        (
            {"transfer": "both"},
            "transfer=both needs examples without labels, and train_size labels the whole training part "
            "(30 examples); type a smaller train_size",
        ),
    ],
)
def test_what_leaves_nothing_is_refused(examples: dict[str, Any], line: str) -> None:
    with pytest.raises(UserError) as error:
        shown(SPLITS, 30, examples)
    assert error.value.message == line


@pytest.mark.parametrize(
    ("examples", "length"),
    [
        ({}, None),
        ({"transfer": "both"}, None),
        ({"as_long_as": "both"}, 30),
        ({"as_long_as": "unlabelled"}, 18),
        ({"as_long_as": "both", "omit": ["cat"]}, 20),
    ],
)
def test_a_baselines_epoch_is_as_long_as_its_students(examples: dict[str, Any], length: int | None) -> None:
    assert epoch_length(SPLITS, 12, examples) == length
