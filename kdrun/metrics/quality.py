"""How good a network's predictions are: accuracy, likelihood, calibration, agreement."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from kdrun.metrics.calibration import ECE_BINS, EDGES


@dataclass(frozen=True)
class Quality:
    """Quality of predictions on a set of examples.

    accuracy: share of examples whose largest logit is the label's, in [0, 1].
    nll: mean negative log-likelihood of the labels, nats, >= 0.
    ece: expected calibration error, in [0, 1].
    """

    accuracy: float
    nll: float
    ece: float


def quality(logits: Tensor, labels: Tensor) -> Quality:
    """Accuracy, negative log-likelihood and expected calibration error, computed in float64.

    logits: (N, K), any floating type and device, N >= 1.
    labels: (N,) class indices in [0, K).
    """
    scores, targets = _float64(logits), labels.detach().cpu()
    return Quality(
        accuracy=(scores.argmax(1) == targets).double().mean().item(),
        nll=F.cross_entropy(scores, targets).item(),
        ece=_calibration_error(scores, targets),
    )


def agreement(logits_a: Tensor, logits_b: Tensor) -> float:
    """Share of examples on which two networks give the same class, in [0, 1].

    logits_a, logits_b: (N, K) for the same examples in the same order.
    """
    same = logits_a.detach().argmax(1).cpu() == logits_b.detach().argmax(1).cpu()
    return same.double().mean().item()


def _calibration_error(scores: Tensor, targets: Tensor) -> float:
    """sum_b (n_b / N) * |accuracy_b - confidence_b| over bins ((b-1)/15, b/15] of the top probability.

    Source: Guo et al. 2017, arXiv:1706.04599, equation 3.
    """
    confidence, predicted = scores.softmax(1).max(1)
    excess = (predicted == targets).double() - confidence  # (N,)
    bins = torch.bucketize(
        confidence, torch.tensor(EDGES, dtype=torch.float64)
    )  # right edges belong to their bin, as in the paper
    # n_b * |mean of excess| = |sum of excess|, so empty bins need no case of their own
    sums = torch.zeros(ECE_BINS, dtype=torch.float64).index_add_(0, bins, excess)
    return sums.abs().sum().item() / len(targets)


def _float64(logits: Tensor) -> Tensor:
    return logits.detach().cpu().double()  # on the CPU first: some accelerators have no float64
