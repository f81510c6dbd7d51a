from __future__ import annotations

import math

import pytest
import torch
from torch.nn import functional as F

from kdrun.metrics.softened import (
    class_similarity,
    distance,
    entropy,
    gradient,
    most_alike,
    outside_top,
    softened,
)

TEACHER, STUDENT = torch.tensor([[4.0, 2.0, 0.0]]), torch.tensor([[3.0, 0.5, -0.5]])

# exp(z / tau) over their sum, with a pocket calculator: e^4 = 54.5982, e^2 = 7.3891, e^1 = 2.7183, ...
BY_HAND = {
    1.0: (0.866814, 0.117310, 0.015876),  # 54.5982, 7.3891, 1 of 62.9873
    2.0: (0.665241, 0.244728, 0.090031),  # 7.3891, 2.7183, 1 of 11.1073
    4.0: (0.506480, 0.307196, 0.186324),  # 2.7183, 1.6487, 1 of 5.3670
}


@pytest.mark.parametrize("tau", BY_HAND)
def test_softened_probabilities_are_those_computed_by_hand(tau: float) -> None:
    assert softened(TEACHER, tau=tau)[0].tolist() == pytest.approx(BY_HAND[tau], abs=1e-6)


@pytest.mark.parametrize(
    ("tau", "nats"),
    [
        # ln(sum of exp(z / tau)) - sum of p * z / tau
        (1.0, 4.142932 - (4 * 0.866814 + 2 * 0.117310)),
        (2.0, 2.407606 - (2 * 0.665241 + 1 * 0.244728)),
        (4.0, 1.680269 - (1 * 0.506480 + 0.5 * 0.307196)),
    ],
)
def test_entropy_is_that_computed_by_hand(tau: float, nats: float) -> None:
    assert entropy(softened(TEACHER, tau=tau)).item() == pytest.approx(nats, abs=2e-5)


def test_entropy_goes_from_none_to_the_logarithm_of_the_number_of_classes() -> None:
    assert entropy(softened(torch.tensor([1e5, 0.0, 0.0]), tau=1.0)).item() == 0
    assert entropy(softened(TEACHER, tau=1e6)).item() == pytest.approx(math.log(3))


def test_what_lies_outside_the_top_class_does_not_drown_in_rounding() -> None:
    logits = torch.tensor([[0.0, 50.0, 0.0], [4.0, 2.0, 0.0]])
    expected = [2 * math.exp(-50) / (1 + 2 * math.exp(-50)), 1 - BY_HAND[1.0][0]]
    assert outside_top(softened(logits, tau=1.0)).tolist() == pytest.approx(expected, rel=1e-5, abs=0)


@pytest.mark.parametrize(
    ("tau", "alpha", "expected"),
    [
        # softmax(student) = 20.0855, 1.6487, 0.6065 of 22.3408 = (0.899052, 0.073799, 0.027149); label 0
        (1.0, 0.0, (-0.100948, 0.073799, 0.027149)),
        (1.0, 1.0, (0.032238, -0.043511, 0.011273)),
    ],
)
def test_the_gradient_is_that_computed_by_hand(tau: float, alpha: float, expected: tuple[float, ...]) -> None:
    found = gradient(STUDENT, TEACHER, torch.tensor([0]), tau=tau, alpha=alpha)
    assert found[0].tolist() == pytest.approx(expected, abs=2e-6)


@pytest.mark.parametrize("tau", [1.0, 2.0, 4.0])
@pytest.mark.parametrize("alpha", [0.0, 0.3, 1.0])
def test_the_gradient_is_autograds_of_the_written_out_loss(tau: float, alpha: float) -> None:
    generator = torch.Generator().manual_seed(3)
    student = 3 * torch.randn(5, 7, generator=generator, dtype=torch.float64)
    teacher = 3 * torch.randn(5, 7, generator=generator, dtype=torch.float64)
    labels = torch.randint(7, (5,), generator=generator)
    z = student.clone().requires_grad_()
    divergence = F.kl_div((z / tau).log_softmax(1), (teacher / tau).softmax(1), reduction="sum")
    loss = (1 - alpha) * F.cross_entropy(z, labels, reduction="sum") + alpha * tau**2 * divergence
    (expected,) = torch.autograd.grad(loss, z)
    found = gradient(student, teacher, labels, tau=tau, alpha=alpha)
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)
    assert found.sum(1).abs().max() < 1e-12


def test_class_similarity_is_the_mean_over_a_classes_examples() -> None:
    logits = torch.tensor([[4.0, 2.0, 0.0], [0.0, 2.0, 4.0], [1.0, 1.0, 1.0]])
    found = class_similarity(logits, torch.tensor([0, 0, 1]), tau=2.0)
    top, middle, low = BY_HAND[2.0]
    assert found[0].tolist() == pytest.approx([(top + low) / 2, middle, (top + low) / 2], abs=1e-6)
    assert found[1].tolist() == pytest.approx([1 / 3] * 3)
    assert found[2].isnan().all()


def test_the_most_alike_pairs_come_first_and_those_without_examples_not_at_all() -> None:
    similarity = torch.tensor(
        [[0.7, 0.2, 0.1, 0.0], [0.4, 0.5, 0.1, 0.0], [0.1, 0.5, 0.4, 0.0], [float("nan")] * 4], dtype=torch.float64
    )
    assert most_alike(similarity) == [
        (0, 1, pytest.approx(0.3)),
        (1, 2, pytest.approx(0.3)),
        (0, 2, pytest.approx(0.1)),
    ]


def test_distance_is_the_share_of_probability_on_other_classes() -> None:
    one, other = torch.tensor([0.5, 0.5, 0.0]), torch.tensor([[0.5, 0.0, 0.5], [0.5, 0.5, 0.0]])
    assert distance(one, other).tolist() == [0.5, 0.0]
