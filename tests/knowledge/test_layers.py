from __future__ import annotations

import pytest
import torch

from kdrun.config.compose import Composer
from kdrun.config.files import groups
from kdrun.config.grid import one_point
from kdrun.errors import UserError
from kdrun.experiment.build import terms_of
from kdrun.knowledge.layers import embeddings, feature
from kdrun.knowledge.made_up import example_pair
from kdrun.signals import Signals


def test_a_missing_layer_is_refused_with_those_there_are() -> None:
    signals = Signals(torch.empty(1, 2), {"stem": torch.empty(1), "pooled": torch.empty(1)})
    with pytest.raises(UserError) as error:
        feature(signals, "student", "stage4")
    assert error.value.message == "the student has no layer 'stage4'; choose one of: stem, pooled"


def test_a_network_without_layers_says_so() -> None:
    with pytest.raises(UserError, match="the teacher gives logits only, as every ensemble does"):
        feature(Signals(torch.empty(1, 2)), "teacher", "pooled")


@pytest.mark.parametrize("option", [name for name in groups()["knowledge"] if not name.startswith("response/")])
def test_whatever_reads_features_refuses_a_teacher_that_gives_logits_only(option: str) -> None:
    composer = Composer()
    terms = composer.config(one_point([f"knowledge={option}"], composer.groups, "distill")).knowledge
    pair = example_pair()
    with pytest.raises(UserError, match="logits only"):
        terms_of(terms, pair._replace(teacher=Signals(pair.teacher.logits)))


def test_embeddings_are_one_vector_for_each_example() -> None:
    signals = Signals(torch.empty(2, 2), {"stage1": torch.empty(2, 3, 4, 5)})
    assert embeddings(signals, "stage1").shape == (2, 60)
