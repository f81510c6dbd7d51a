"""What a report's pictures need of the finished runs: how they learned, and counts of what they predicted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from kdrun.metrics.calibration import bins_of
from kdrun.runs.folder import Predictions, RunFolder
from kdrun.runs.spec import RunSpec

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Rows = list[dict[str, Any]]


class Counted(NamedTuple):
    """A run's predicted classes, and what of its predictions is counted for the pictures."""

    predicted: NDArray[np.int64]
    confusion: Rows
    reliability: Rows


def counted(spec: RunSpec, run: RunFolder) -> Counted:
    """Counts of a finished run's predictions. Raises UserError when their file is damaged."""
    said = run.predictions()
    return Counted(said.predicted, _confusion(spec, said), _reliability(spec, said))


def collected(finished: Mapping[RunSpec, RunFolder], counts: Mapping[RunSpec, Counted]) -> dict[str, Rows]:
    """Rows of five files by name.

    curves.csv: a row for each run and epoch, with the columns of metrics.csv.
    confusion.csv: for each run, how many test examples of a class (`label`) were given a class (`predicted`).
    reliability.csv: for each run and bin of confidence (see `metrics.calibration`), how many examples, how many of
        them right, and the sum of their confidences.
    class_errors.csv: for each run and class, how many test examples there are, and how many of them it gets wrong.
    classes.csv: the names of each data set's classes, where its runs say them.
    """
    return {
        "curves.csv": [{"run_id": spec.run_id, **row} for spec, run in finished.items() for row in run.epochs()],
        "confusion.csv": [row for one in counts.values() for row in one.confusion],
        "reliability.csv": [row for one in counts.values() for row in one.reliability],
        "class_errors.csv": [row for spec, run in finished.items() for row in _class_errors(spec, run, counts[spec])],
        "classes.csv": _classes(finished),
    }


def errors_by_class(counts: Counted) -> dict[int, tuple[int, int]]:
    """For each class of a run's test examples: how many there are, and how many of them it gets wrong."""
    errors: dict[int, tuple[int, int]] = {}
    for row in counts.confusion:
        examples, wrong = errors.get(row["label"], (0, 0))
        missed = row["examples"] if row["predicted"] != row["label"] else 0
        errors[row["label"]] = examples + row["examples"], wrong + missed
    return errors


def _class_errors(spec: RunSpec, run: RunFolder, counts: Counted) -> Iterator[dict[str, Any]]:
    names = dict(enumerate(run.class_names()))
    for label, (examples, errors) in errors_by_class(counts).items():
        row = {"run_id": spec.run_id, "class": label, "name": names.get(label, "")}
        yield row | {"examples": examples, "errors": errors}


def _confusion(spec: RunSpec, said: Predictions) -> Rows:
    import numpy as np

    pairs, counts = np.unique(np.stack([said.label, said.predicted]), axis=1, return_counts=True)
    return [
        {"run_id": spec.run_id, "label": label, "predicted": predicted, "examples": examples}
        for label, predicted, examples in zip(*pairs.tolist(), counts.tolist(), strict=True)
    ]


def _reliability(spec: RunSpec, said: Predictions) -> Rows:
    import numpy as np

    inside = bins_of(said.confidence)
    right = said.label == said.predicted
    columns = [np.bincount(inside, weights).tolist() for weights in (None, right, said.confidence)]
    return [
        {
            "run_id": spec.run_id,
            "bin": number,
            "examples": examples,
            "correct": int(correct),
            "confidence_sum": round(confidence, 6),
        }
        for number, (examples, correct, confidence) in enumerate(zip(*columns, strict=True))
        if examples
    ]


def _classes(finished: Mapping[RunSpec, RunFolder]) -> Rows:
    names: dict[str, list[str]] = {}
    for spec, run in finished.items():
        dataset = spec.dataset["name"]
        if not names.get(dataset):
            names[dataset] = run.class_names()
    return [
        {"dataset": dataset, "class": number, "name": name}
        for dataset, listed in names.items()
        for number, name in enumerate(listed)
    ]
