from __future__ import annotations

import pytest
import torch

from kdrun.errors import UserError
from kdrun.models.confusable import confusable_sets

GROUPS = [[0, 3], [1, 4, 5], [2]]


def _probs(per_class: int = 40) -> torch.Tensor:
    """Of 6 classes: what is not on the right class falls on those of its group; class 5 varies most."""
    generator = torch.Generator().manual_seed(0)
    rows = []
    for group in GROUPS:
        for label in group:
            for _ in range(per_class * (5 if label == 5 else 1)):
                logits = torch.full((6,), -4.0)
                logits[group] = torch.randn(len(group), generator=generator)
                logits[label] += 1.0
                rows.append(logits.softmax(0))
    return torch.stack(rows)


def test_classes_that_are_predicted_together_make_a_set() -> None:
    sets = confusable_sets(_probs(), 3)
    assert [one.nonzero().flatten().tolist() for one in sets] == GROUPS


@pytest.mark.parametrize("count", [2, 3, 4])
def test_each_class_is_in_one_set_whatever_rounding_does(count: int) -> None:
    sets = confusable_sets(_probs(), count)
    assert sets.shape == (count, 6)
    assert sets.sum(0).tolist() == [1] * 6
    firsts = [int(one.int().argmax()) for one in sets]
    assert firsts == sorted(firsts)
    assert torch.equal(confusable_sets(_probs() * (1 + 1e-7), count), sets)


def test_predictions_that_do_not_tell_classes_apart_are_refused() -> None:
    with pytest.raises(UserError, match="tell 1 kinds of classes apart"):
        confusable_sets(torch.full((10, 4), 0.25), 2)
