from __future__ import annotations

import math

import pytest
import torch

from kdrun.metrics.quality import agreement, quality


def _by_hand(logits: torch.Tensor, labels: torch.Tensor) -> tuple[float, float, float]:
    """Accuracy, NLL and ECE example by example, in plain Python."""
    right, loss, bins = 0, 0.0, {b: [0.0, 0.0] for b in range(15)}
    for row, label in zip(logits.double().tolist(), labels.tolist(), strict=True):
        total = sum(math.exp(value) for value in row)
        probs = [math.exp(value) / total for value in row]
        confidence, hit = max(probs), probs.index(max(probs)) == label
        right, loss = right + hit, loss - math.log(probs[label])
        chosen = next(b for b in range(15) if confidence <= (b + 1) / 15)
        bins[chosen][0] += hit
        bins[chosen][1] += confidence
    n = len(labels)
    return right / n, loss / n, sum(abs(hits - sure) for hits, sure in bins.values()) / n


def test_quality_equals_the_definitions_written_out() -> None:
    generator = torch.Generator().manual_seed(0)
    logits = 3 * torch.randn(200, 7, generator=generator)
    labels = torch.randint(7, (200,), generator=generator)
    found = quality(logits, labels)
    assert (found.accuracy, found.nll, found.ece) == pytest.approx(_by_hand(logits, labels), abs=1e-12)


def test_calibration_error_of_a_sure_network_is_its_error_rate() -> None:
    logits = torch.tensor([[50.0, 0.0]] * 4)
    assert quality(logits, torch.tensor([0, 0, 0, 1])).ece == pytest.approx(0.25)


def test_calibration_bins_hold_their_right_edge() -> None:
    # Confidences 0.6 = 9/15 (right) and 0.59 (wrong) fall in one bin: |1 - 0.6 - 0.59| / 2.
    probs = torch.tensor([[0.6, 0.4], [0.59, 0.41]], dtype=torch.float64)
    expected = abs((1 - 0.6) + (0 - 0.59)) / 2
    assert quality(probs.log(), torch.tensor([0, 1])).ece == pytest.approx(expected)


def test_likelihood_of_extreme_logits_is_finite() -> None:
    assert quality(torch.tensor([[200.0, -200.0]]), torch.tensor([1])).nll == pytest.approx(400.0)


def test_quality_of_half_precision_logits_is_computed_in_float64() -> None:
    logits = torch.tensor([[1.0, 0.0], [0.5, 2.0]], dtype=torch.bfloat16)
    labels = torch.tensor([0, 1])
    assert quality(logits, labels) == quality(logits.double(), labels)


def test_agreement_is_the_share_of_equal_classes() -> None:
    a = torch.tensor([[1.0, 0.0], [0.0, 1.0], [2.0, 1.0]])
    b = torch.tensor([[9.0, 0.0], [1.0, 0.0], [2.0, -1.0]])
    assert agreement(a, b) == pytest.approx(2 / 3)
