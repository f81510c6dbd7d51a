"""What a temperature shows of a network's logits: softened probabilities, their spread, and what they pull at."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def softened(logits: Tensor, *, tau: float) -> Tensor:
    """softmax(logits / tau) over the last dimension, in float64.

    logits: (..., K). tau: temperature > 0.
    """
    return (logits.detach().cpu().double() / tau).softmax(-1)


def entropy(probs: Tensor) -> Tensor:
    """-sum_k p_k ln p_k in nats, from 0 (one class) to ln K (all alike).

    probs: (..., K). Returns (...).
    """
    nats: Tensor = torch.special.entr(probs).sum(-1)
    return nats


def outside_top(probs: Tensor) -> Tensor:
    """The probability of all classes but the likeliest, in [0, 1): what Hinton calls dark knowledge, made visible.

    probs: (..., K). Returns (...), summed without the likeliest, so that 1e-9 does not drown in 1 - p.
    """
    return probs.sort(-1).values[..., :-1].sum(-1)


def gradient(student: Tensor, teacher: Tensor, labels: Tensor, *, tau: float, alpha: float) -> Tensor:
    """The gradient in z of (1 - alpha) CE(labels, z) + alpha tau^2 KL(softmax(teacher / tau) || softmax(z / tau)).

    At z = student: (1 - alpha) (softmax(z) - onehot(labels)) + alpha tau (softmax(z / tau) - softmax(teacher / tau))

    student, teacher: logits (N, K). labels: (N,) class indices. tau: > 0. alpha: in [0, 1].
    Returns (N, K) float64, each row of sum 0; not divided by N.
    Source: Hinton, Vinyals, Dean 2015, arXiv:1503.02531, section 2.
    """
    hard = softened(student, tau=1.0) - F.one_hot(labels.cpu(), student.shape[-1])
    soft = softened(student, tau=tau) - softened(teacher, tau=tau)
    return (1 - alpha) * hard + alpha * tau * soft


def class_similarity(logits: Tensor, labels: Tensor, *, tau: float) -> Tensor:
    """Mean softened probability of class j over the examples of class i.

    logits: (N, K). labels: (N,) class indices. tau: > 0.
    Returns (K, K) float64, each row of sum 1; NaN for a class without examples.
    """
    probs, classes = softened(logits, tau=tau), labels.cpu()
    sums = probs.new_zeros(probs.shape[1], probs.shape[1]).index_add_(0, classes, probs)
    return sums / torch.bincount(classes, minlength=probs.shape[1])[:, None]


def most_alike(similarity: Tensor) -> list[tuple[int, int, float]]:
    """Pairs of classes i < j with the mean of both directions, (s_ij + s_ji) / 2, the most alike first.

    similarity: (K, K) as `class_similarity` gives it; pairs with a class that has no examples are left out.
    """
    mean = (similarity + similarity.T) / 2
    first, second = torch.triu_indices(len(mean), len(mean), offset=1)
    values = mean[first, second]
    order = [k for k in values.argsort(descending=True, stable=True).tolist() if values[k] == values[k]]
    return [(int(first[k]), int(second[k]), float(values[k])) for k in order]


def distance(probs: Tensor, others: Tensor) -> Tensor:
    """Total variation 1/2 sum_k |p_k - q_k|, in [0, 1]: the share of probability put on other classes.

    probs, others: (..., K). Returns (...).
    """
    return (probs - others).abs().sum(-1) / 2
