"""What alpha and label_weight mean for a set of knowledge terms: the weights of the combined loss."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

from kdrun.errors import UserError

Terms = Mapping[str, Mapping[str, Any]]


class Weights(NamedTuple):
    """alpha: of the mixed terms, None without any. labels: of the cross-entropy, None for 1 - alpha in every epoch."""

    alpha: float | None
    labels: float | None

    def reads_labels(self, start: float | None) -> bool:
        """Whether the labels have a weight in any epoch. start: of alpha's schedule, None where alpha is constant."""
        if self.labels is not None:
            return self.labels > 0
        return self.alpha is None or self.alpha < 1 or (start is not None and start < 1)


LABELS_ALONE = Weights(alpha=None, labels=1.0)


def has_mixed(terms: Terms) -> bool:
    """Whether any term shares the labels' weight by alpha."""
    return any(term.get("mix") for term in terms.values())


def teaches(terms: Terms, alpha: float, start: float | None) -> bool:
    """Whether any term has a weight in any epoch; otherwise the loss is that of labels alone.

    start: of alpha's schedule, None where alpha is constant.
    """
    return not all(term.get("mix") for term in terms.values()) or bool(alpha or start)


def loss_weights(terms: Terms, alpha: float, start: float | None, label_weight: float | None) -> Weights:
    """The weights of the combined loss (see `kdrun.modes.loss.combined`).

    Without a mixed term alpha has no meaning, and the labels' weight is 1 unless a term asks for another one
    (`label_weight` in its file; SimKD: 0). With one it is 1 - alpha.

    terms: by name, as composed. label_weight: as typed, None where it was not; it wins over what terms ask for.
    start: of alpha's schedule, None where alpha is constant.
    Raises UserError where terms ask for different weights of the labels and none was typed, and for a typed weight
    beside terms without any weight.
    """
    if not teaches(terms, alpha, start):
        if label_weight not in (None, 1.0):
            raise UserError(
                f"label_weight={label_weight:g} with alpha=0: no term has a weight, and the student is the baseline; "
                "type alpha above 0, or leave label_weight out"
            )
        return LABELS_ALONE
    mixed = has_mixed(terms)
    labels = _asked_for(terms, mixed, alpha, start) if label_weight is None else float(label_weight)
    if not mixed:
        return Weights(None, 1.0 if labels is None else labels)
    is_the_rest = start is None and labels is not None and _is_rest(labels, alpha)
    return Weights(float(alpha), None if is_the_rest else labels)


def _asked_for(terms: Terms, mixed: bool, alpha: float, start: float | None) -> float | None:
    """The labels' weight that the terms ask for; None for the usual one."""
    asked = {name: float(term["label_weight"]) for name, term in terms.items() if term.get("label_weight") is not None}
    if not asked:
        return None
    usual = {name: 1.0 for name, term in terms.items() if not term.get("mix") and name not in asked and not mixed}
    wanted = set((asked | usual).values())
    fits_the_mixed = start is None and all(_is_rest(one, alpha) for one in wanted)
    if len(wanted) > 1 or (mixed and not fits_the_mixed):
        told = [f"{name} {weight:g}" for name, weight in (asked | usual).items()]
        told += [f"{name} 1 - alpha" for name, term in terms.items() if term.get("mix")]
        raise UserError(
            f"these terms ask for different weights of the labels ({', '.join(told)}); "
            "type label_weight=NUMBER to decide, such as label_weight=0"
        )
    return wanted.pop()


def _is_rest(labels: float, alpha: float) -> bool:
    """Whether it is what alpha leaves to the labels: 0.3 of 0.7, although 1 - 0.7 is 0.30000000000000004."""
    return math.isclose(labels, 1 - alpha, abs_tol=1e-12)
