from __future__ import annotations

import pytest
import torch

from kdrun.errors import UserError
from kdrun.knowledge.layers import embeddings, feature
from kdrun.signals import Signals


def test_a_missing_layer_is_refused_with_those_there_are() -> None:
    signals = Signals(torch.empty(1, 2), {"stem": torch.empty(1), "pooled": torch.empty(1)})
    with pytest.raises(UserError) as error:
        feature(signals, "student", "stage4")
    assert error.value.message == "the student has no layer 'stage4'; choose one of: stem, pooled"


def test_a_network_without_layers_says_so() -> None:
    with pytest.raises(UserError, match="choose one of: none"):
        feature(Signals(torch.empty(1, 2)), "teacher", "pooled")


def test_embeddings_are_one_vector_for_each_example() -> None:
    signals = Signals(torch.empty(2, 2), {"stage1": torch.empty(2, 3, 4, 5)})
    assert embeddings(signals, "stage1").shape == (2, 60)
