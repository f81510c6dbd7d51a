"""The numbers of one example and of the classes, as rows: for CSV and for the terminal."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import Any

from kdrun.experiment.answers import Said
from kdrun.explorer.view import View
from kdrun.metrics.softened import entropy, gradient, outside_top, softened

Row = dict[str, Any]

# Examples with more classes show those that the teacher finds likeliest, and the rest as one line.
MOST_CLASSES, OF_MANY = 16, 12


def example_rows(view: View, row: int) -> Iterator[Row]:
    """What each network says of a test example at the view's tau: a row for each network."""
    test = view.answers.test
    for role, said in view.answers.said.items():
        probs = softened(said.logits[row], tau=view.tau)
        top = int(said.logits[row].argmax())
        yield {
            "example": int(test.ids[row]),
            "label": view.names[int(test.labels[row])],
            "network": role,
            "run_id": said.spec.run_id,
            "tau": view.tau,
            "top_class": view.names[top],
            "confidence": float(probs[top]),
            "outside_top_class": float(outside_top(probs)),
            "entropy_nats": float(entropy(probs)),
            "entropy_bits": float(entropy(probs)) / math.log(2),
        }


def class_rows(view: View, row: int) -> Iterator[Row]:
    """The same, class by class: a row for each network and class. gradient: of the loss in the network's logits."""
    test = view.answers.test
    label = int(test.labels[row])
    for role, said in view.answers.said.items():
        probs = softened(said.logits[row], tau=view.tau).tolist()
        slopes = [None] * len(probs) if said is view.teacher else _gradient(view, said, row)
        for number, name in enumerate(view.names):
            yield {
                "example": int(test.ids[row]),
                "network": role,
                "class": name,
                "is_label": number == label,
                "logit": float(said.logits[row, number]),
                "tau": view.tau,
                "probability": probs[number],
                "alpha": view.alpha,
                "gradient": slopes[number],
            }


def _gradient(view: View, said: Said, row: int) -> list[float]:
    one, test = slice(row, row + 1), view.answers.test
    slopes = gradient(said.logits[one], view.teacher.logits[one], test.labels[one], tau=view.tau, alpha=view.alpha)
    return slopes[0].tolist()


def similarity_rows(view: View, taus: Iterable[float]) -> Iterator[Row]:
    """The teacher's mean softened probability of the class `to` over the test examples of the class `of`."""
    for tau in taus:
        for name, means in zip(view.names, view.similarity(tau).tolist(), strict=True):
            for other, mean in zip(view.names, means, strict=True):
                yield {"tau": tau, "of": name, "to": other, "mean_probability": None if math.isnan(mean) else mean}


def shown_classes(view: View, row: int) -> list[int]:
    """The classes of an example that have a line of their own: all, or of many those likeliest to the teacher.

    The label is always among them; the page's script chooses alike.
    """
    count = len(view.names)
    if count <= MOST_CLASSES:
        return list(range(count))
    likeliest: list[int] = view.teacher.logits[row].argsort(descending=True, stable=True).tolist()
    shown, label = likeliest[:OF_MANY], int(view.answers.test.labels[row])
    return shown if label in shown else [*shown[:-1], label]
