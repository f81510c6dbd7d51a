"""A network that gives some classes as often as another one does."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from kdrun.signals import Batch

_MOST_STEPS = 200
_SMALL = 1e-9  # of a step, in units of logits


class Offset(nn.Module):
    """A network with a number added to its logits for each of some classes, found without labels when it settles.

    Over the inputs that it is shown, its mean probability of each of these classes then equals that of a teacher, which
    has learned them. See `equalising_offsets`.

    networks: the one whose logits are changed, alone; like the teacher it maps inputs to logits (B, K).
    classes: indices, fewer than K.

    Source: Hinton, Vinyals, Dean 2015, arXiv:1503.02531, section 3, where a student that never saw a 3 is mended by the
    bias that does best on the test set. Deviation: no label is looked at, neither of the test set nor any other.
    """

    def __init__(self, networks: Sequence[nn.Module], *, classes: Sequence[int], teacher: nn.Module) -> None:
        super().__init__()
        (self.network,) = networks
        self._teacher = (teacher,)  # a tuple, for it is no part of this network: called once, it costs nothing later
        self._told: dict[str, Any] = {}
        self.register_buffer("classes", torch.tensor(classes), persistent=False)
        self.register_buffer("offsets", torch.zeros(len(classes)))
        self.classes: Tensor
        self.offsets: Tensor

    def forward(self, inputs: Tensor) -> Tensor:
        logits: Tensor = self.network(inputs).float()
        return _with_offsets(logits, self.classes, self.offsets)

    def settle(self, batches: Iterable[Batch]) -> None:
        (teacher,) = self._teacher
        with torch.inference_mode():
            networks = self.network.eval(), teacher.eval()
            said = [[network(batch.inputs).double() for network in networks] for batch in batches]
        logits, taught = (torch.cat(each) for each in zip(*said, strict=True))
        offsets = equalising_offsets(logits, self.classes, _shares(taught, self.classes))
        self.offsets.copy_(offsets)
        self._told = {
            "offset_images": len(logits),
            "offsets": _text(offsets),
            "offset_shares_before": _text(_shares(logits, self.classes)),
            "offset_shares": _text(_shares(_with_offsets(logits, self.classes, offsets), self.classes)),
        }

    def own_state(self) -> dict[str, Tensor]:
        return {"offsets": self.offsets}

    def told(self) -> dict[str, Any]:
        """Of how many images; of each class, in rising order: the offset, and its share without and with it."""
        return self._told


def _with_offsets(logits: Tensor, classes: Tensor, offsets: Tensor) -> Tensor:
    return logits.index_add(1, classes, offsets.expand(len(logits), -1))


def _shares(logits: Tensor, classes: Tensor) -> Tensor:
    """(C,): the mean probability of each of the classes."""
    return logits.softmax(1).mean(0)[classes]


def _text(values: Tensor) -> str:
    return " ".join(f"{value:.6g}" for value in values.tolist())


def equalising_offsets(logits: Tensor, classes: Tensor, shares: Tensor) -> Tensor:
    """The numbers that, added to the logits of some classes, give these classes certain shares of the probability.

    The minimum over b of mean_n logsumexp_k(z_nk + b_k) - sum_c shares_c * b_c, with b_k = 0 for all other classes. It
    is strictly convex, and its gradient is mean_n softmax(z_n + b)_c - shares_c. By Newton's method; a step d is
    shortened by log(1 + r) / r, r = 2 max |d|, and so goes down from anywhere (Bach 2010, arXiv:0910.4627).

    logits: (N, K) float64. classes: (C,) int64 indices, C < K. shares: (C,) in (0, 1), their sum below 1.
    Returns (C,) float64.
    """
    offsets = torch.zeros_like(shares)
    for _ in range(_MOST_STEPS):
        probs = _with_offsets(logits, classes, offsets).softmax(1)[:, classes]
        slope = probs.mean(0) - shares
        curvature = torch.diag(probs.mean(0)) - probs.T @ probs / len(probs)
        step = torch.linalg.solve(curvature, slope)
        reach = 2 * step.abs().max()
        if reach < _SMALL:
            break
        offsets = offsets - step * torch.log1p(reach) / reach
    return offsets
