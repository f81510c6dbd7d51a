"""The combined loss."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from kdrun.knowledge.response import LogitMSE, SoftTargets, kd
from kdrun.modes.courses import Linear
from kdrun.modes.loss import LossWeights, Term, combined, part_names
from kdrun.signals import UNLABELLED, Batch, Pair, Signals

STUDENT = torch.tensor([[1.0, 2, 3], [0, 0, 1]], dtype=torch.float64)
TEACHER = torch.tensor([[3.0, 1, 0], [1, 2, 0]], dtype=torch.float64)
LABELS = torch.tensor([0, 1])
PAIR = Pair(Signals(STUDENT), Signals(TEACHER), 3, 2)


def _batch(labels: torch.Tensor = LABELS, epoch: int = 0) -> Batch:
    return Batch(torch.zeros(2, 1), labels, torch.arange(2), torch.zeros(2, dtype=torch.int64), epoch)


def _terms(warmup_epochs: int = 0) -> dict[str, Term]:
    return {
        "kd": Term(SoftTargets(PAIR, tau=4.0, standardise=False), 2.0, warmup_epochs, mixed=True),
        "logit_mse": Term(LogitMSE(PAIR), 0.5, 0, mixed=True),
    }


def _loss(alpha: float, batch: Batch | None = None, **options: int) -> list[float]:
    parts = combined(
        Signals(STUDENT), Signals(TEACHER), batch or _batch(), terms=_terms(**options), weights=LossWeights(alpha, None)
    )
    return [float(part) for part in parts]


def test_it_is_one_minus_alpha_of_the_labels_and_alpha_of_the_weighted_terms() -> None:
    ce = float(functional.cross_entropy(STUDENT, LABELS))
    kd, mse = 1.4564824548, 10 / 3  # golden values
    assert _loss(0.3) == pytest.approx([0.7 * ce + 0.3 * (2 * kd + 0.5 * mse), ce, kd, mse], abs=1e-9)


def test_at_alpha_0_it_is_plain_cross_entropy_and_no_term_is_computed() -> None:
    assert _loss(0.0) == [float(functional.cross_entropy(STUDENT, LABELS))] * 2


def test_at_alpha_1_labels_are_not_looked_at() -> None:
    assert _loss(1.0) == _loss(1.0, _batch(LABELS.flip(0))) == _loss(1.0, _batch(torch.tensor([-7, 99])))


def test_a_weight_is_reached_linearly_over_the_warm_up() -> None:
    first, fourth, later = (_loss(1.0, _batch(epoch=epoch), warmup_epochs=4)[0] for epoch in (0, 3, 9))
    kd, mse = _loss(1.0)[1:]
    assert first == pytest.approx(2 * kd / 4 + 0.5 * mse)
    assert fourth == later == pytest.approx(2 * kd + 0.5 * mse)


@pytest.mark.parametrize("alpha", [0.0, 0.5, 1.0])
def test_the_parts_have_as_many_names_as_values(alpha: float) -> None:
    assert len(part_names(_terms(), LossWeights(alpha, None))) == len(_loss(alpha))


def test_alpha_is_what_its_course_says_in_the_epoch_and_its_parts_are_the_same_columns() -> None:
    course = Linear(0.0, 1.0, 3)
    said = Signals(STUDENT), Signals(TEACHER)
    for epoch, alpha in enumerate([0.0, 0.5, 1.0]):
        parts = [
            float(part)
            for part in combined(*said, _batch(epoch=epoch), terms=_terms(), weights=LossWeights(course, None))
        ]
        assert parts[0] == pytest.approx(_loss(alpha)[0])
        assert parts[1:] == _loss(0.5)[1:]
    assert part_names(_terms(), LossWeights(course, None)) == part_names(_terms(), LossWeights(0.5, None))


def test_a_term_with_a_temperature_has_that_of_its_course_in_the_epoch() -> None:
    terms = _terms()
    terms["kd"] = terms["kd"]._replace(tau=Linear(4.0, 2.0, 2))
    said = Signals(STUDENT), Signals(TEACHER)
    values = [
        float(combined(*said, _batch(epoch=epoch), terms=terms, weights=LossWeights(1.0, None))[1]) for epoch in (1, 0)
    ]
    expected = [float(kd(STUDENT, TEACHER, tau=tau)) for tau in (2.0, 4.0)]
    assert values == pytest.approx(expected)


def test_a_term_without_a_temperature_is_left_as_it_is() -> None:
    terms = {"logit_mse": Term(LogitMSE(PAIR), 1.0, 0, mixed=True, tau=Linear(4.0, 2.0, 2))}
    assert (
        float(combined(Signals(STUDENT), Signals(TEACHER), _batch(), terms=terms, weights=LossWeights(1.0, None))[1])
        == _loss(1.0)[2]
    )


def test_cross_entropy_is_taken_over_the_examples_that_have_a_label() -> None:
    batch = _batch(torch.tensor([0, UNLABELLED]))._replace(all_labelled=False)
    total, ce, *values = _loss(0.3, batch)
    assert ce == float(functional.cross_entropy(STUDENT[:1], LABELS[:1]))
    assert values == _loss(0.3)[2:]
    assert total == pytest.approx(0.7 * ce + _loss(0.3)[0] - 0.7 * _loss(0.3)[1])


def test_a_batch_without_any_label_has_no_cross_entropy_and_no_gradient_of_it() -> None:
    logits = STUDENT.clone().requires_grad_()
    batch = _batch(torch.full((2,), UNLABELLED))._replace(all_labelled=False)
    total, ce = combined(Signals(logits), Signals(TEACHER), batch, terms={}, weights=LossWeights(0.0, None))
    total.backward()
    assert (total.item(), ce.item()) == (0.0, 0.0)
    assert torch.equal(logits.grad, torch.zeros_like(logits))


def test_a_batch_whose_every_example_has_a_label_gives_the_same_bits_either_way() -> None:
    gradients = []
    for all_labelled in (True, False):
        logits = STUDENT.clone().requires_grad_()
        loss = combined(
            Signals(logits),
            Signals(TEACHER),
            _batch()._replace(all_labelled=all_labelled),
            terms=_terms(),
            weights=LossWeights(0.3, None),
        )
        loss[0].backward()
        gradients.append((loss[0].detach(), logits.grad))
    assert all(torch.equal(one, other) for one, other in zip(*gradients, strict=True))
