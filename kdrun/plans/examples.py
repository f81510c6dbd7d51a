"""What a run was shown, and what became of the classes that it was not: columns of a report's rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kdrun.data.classes import class_indices
from kdrun.plans.collect import Counted, errors_by_class
from kdrun.runs.folder import RunFolder
from kdrun.runs.spec import RunSpec


def example_columns(
    spec: RunSpec, run: RunFolder | None, counts: Counted | None, result: Mapping[str, Any]
) -> dict[str, Any]:
    """Empty where all examples have labels and no class is omitted.

    transfer: what a run with a teacher is shown, or as long as whose an epoch of one without is.
    labelled_examples: how many of those it is shown have labels.
    omitted: names of classes, rising; omitted_examples, omitted_errors: of the test part.
    offsets: a number for each omitted class, found on `offset_images` images.

    run, counts: of a finished run.
    """
    return {
        "transfer": spec.examples.get("transfer") or spec.examples.get("as_long_as"),
        "labelled_examples": result.get("labelled_examples"),
        "offsets": result.get("offsets"),
        "offset_images": result.get("offset_images"),
        **(_omitted(spec, run, counts) if run and counts else _omission(None, None, None)),
    }


def _omitted(spec: RunSpec, run: RunFolder, counts: Counted) -> dict[str, Any]:
    names, by_class = run.class_names(), errors_by_class(counts)
    if "omit" not in spec.examples or not names:
        return _omission(None, None, None)
    classes = class_indices(spec.examples["omit"], names)
    examples, errors = (sum(by_class.get(label, (0, 0))[one] for label in classes) for one in (0, 1))
    return _omission(", ".join(names[label] for label in classes), examples, errors)


def _omission(names: str | None, examples: int | None, errors: int | None) -> dict[str, Any]:
    return {"omitted": names, "omitted_examples": examples, "omitted_errors": errors}
