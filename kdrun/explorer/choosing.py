"""Which examples are worth a look."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import combinations, islice
from typing import NamedTuple

import torch
from torch import Tensor

from kdrun.metrics.softened import distance, outside_top, softened

ASKED, DIFFER, UNSURE, SURE, EACH = (
    "The one you asked for",
    "Where the networks differ most",
    "Where the teacher is least certain",
    "Where the teacher is most certain",
    "One of each class",
)
HOW_MANY = {DIFFER: 24, UNSURE: 12, SURE: 12, EACH: 100}


class Chosen(NamedTuple):
    """An example to show. row: its place in the test part; why: the group that it is shown in."""

    row: int
    why: str


def choose(logits: Mapping[str, Tensor], labels: Tensor, asked: int | None = None) -> list[Chosen]:
    """Examples in the order in which they are shown, each once.

    The one asked for; where any two networks differ most (total variation at temperature 1); where the teacher is
    least and most certain of its likeliest class; one of each class (of the first 100).

    logits: (N, K) by role; the teacher's first. labels: (N,). asked: a row.
    """
    teacher, *_ = probs = [softened(one, tau=1.0) for one in logits.values()]
    outside = outside_top(teacher)
    unlike = [distance(one, other) for one, other in combinations(probs, 2)]
    groups: dict[str, Iterable[int]] = {
        ASKED: () if asked is None else (asked,),
        DIFFER: _largest(torch.stack(unlike).amax(0)) if unlike else (),
        UNSURE: _largest(outside),
        SURE: _largest(-outside),
        EACH: _first_of_each(labels),
    }
    chosen: dict[int, Chosen] = {}
    for why, rows in groups.items():
        new = (row for row in rows if row not in chosen)
        for row in list(islice(new, HOW_MANY.get(why, 1))):
            chosen[row] = Chosen(row, why)
    return list(chosen.values())


def _largest(values: Tensor) -> list[int]:
    rows: list[int] = values.argsort(descending=True, stable=True).tolist()
    return rows


def _first_of_each(labels: Tensor) -> list[int]:
    first: dict[int, int] = {}
    for row, label in enumerate(labels.tolist()):
        first.setdefault(label, row)
    return [first[label] for label in sorted(first)]
