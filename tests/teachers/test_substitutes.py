"""Controls: a teacher with part of its knowledge taken away."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from kdrun.knowledge.response import kd
from kdrun.signals import Batch, Signals
from kdrun.teachers.substitutes import Argmax, ClassMeans

LOGITS = torch.randn(30, 4, generator=torch.Generator().manual_seed(0)) * 3
LABELS = torch.arange(30) % 4


class _Known:
    def signals(self, batch: Batch) -> Signals:
        return Signals(LOGITS[batch.ids])


def _batch(ids: torch.Tensor) -> Batch:
    return Batch(torch.zeros(len(ids), 1), LABELS[ids], ids, torch.zeros_like(ids), 0)


def _examples() -> list[Batch]:
    return [_batch(ids) for ids in torch.arange(30).split(7)]


@pytest.mark.parametrize("tau", [1.0, 4.0])
def test_class_means_are_the_mean_softened_probabilities_of_each_class(tau: float) -> None:
    batch = _batch(torch.tensor([0, 1, 5, 28]))
    said = functional.softmax(ClassMeans(_Known(), _examples(), tau=tau).signals(batch).logits / tau, dim=1)
    for row, label in zip(said, batch.labels, strict=True):
        expected = torch.stack([functional.softmax(z / tau, dim=0) for z in LOGITS[label == LABELS]]).mean(0)
        assert torch.allclose(row, expected, atol=1e-6)


def test_argmax_makes_kd_the_cross_entropy_with_the_teachers_classes() -> None:
    batch = _batch(torch.arange(12))
    student = torch.randn(12, 4, generator=torch.Generator().manual_seed(1))
    said = Argmax(_Known(), []).signals(batch)
    expected = functional.cross_entropy(student, LOGITS[batch.ids].argmax(1))
    assert torch.allclose(kd(student, said.logits, tau=1.0), expected, atol=1e-6)
