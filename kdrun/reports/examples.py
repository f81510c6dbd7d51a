"""What students and baselines were shown, where that is not the same labelled examples of every class."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from pandas import DataFrame, Series

from kdrun.reports import wording
from kdrun.reports.points import names
from kdrun.reports.wording import Quote, Row


def example_columns(planned: DataFrame, ours: DataFrame, base: DataFrame) -> Row:
    """Columns of a comparison's row, means over its seeds.

    planned: the row's runs. ours, base: those that are finished, and their baselines; rows of `runs.csv`.
    """
    return {
        "transfer": names(planned["transfer"]),
        "labelled_examples": ours["labelled_examples"].max(),
        "baseline_train_size": base["train_size"].max(),
        "omitted": names(ours["omitted"]),
        "omitted_examples": ours["omitted_examples"].max(),
        "baseline_omitted_errors_mean": base["omitted_errors"].mean(),
        "student_omitted_errors_mean": ours["omitted_errors"].mean(),
        "offsets_mean": _mean_offsets(ours["offsets"]),
        "offset_images": ours["offset_images"].max(),
    }


def transferred(row: Row) -> str:
    """`500 labels, 3,500 images with the teacher's targets; baseline: 500 labels, as many steps`; empty without any."""
    if not row["transfer"] or math.isnan(row["train_size"]):
        return ""
    labels = f"{wording.count(row['labelled_examples'], 'label')}, " if row["labelled_examples"] else "no label, "
    images = f"{wording.count(row['train_size'], 'image')} with the teacher's targets"
    return f"{labels}{images}; baseline: {wording.count(row['baseline_train_size'], 'label')}, as many steps"


def omission_sentences(students: Sequence[Row], learners: Sequence[str], quote: Quote) -> Iterator[str]:
    """What classes students were not shown, what errors that makes, and how offsets were found.

    learners: the students' names, quoted.
    """
    told = [(row, name) for row, name in zip(students, learners, strict=True) if row["omitted"]]
    for setting in dict.fromkeys(row["setting"] for row, _ in told):
        yield _errors([one for one in told if one[0]["setting"] == setting], quote)
    mended = [(row, name) for row, name in told if row["offsets_mean"]]
    for images in dict.fromkeys(row["offset_images"] for row, _ in mended):
        yield _offsets([one for one in mended if one[0]["offset_images"] == images], quote)


def _errors(told: Sequence[tuple[Row, str]], quote: Quote) -> str:
    first = told[0][0]
    columns = [("the baseline", first, "baseline"), *((name, row, "student") for row, name in told)]
    counts = [
        f"{name} {(1 - row[f'{who}_accuracy_mean']) * row['test_examples']:,.1f} "
        f"({row[f'{who}_omitted_errors_mean']:,.1f})"
        for name, row, who in columns
    ]
    return (
        f"Students, baselines and controls were shown no example of {quote(first['omitted'])}. Mean errors on "
        f"{wording.count(first['test_examples'], 'test example')}, and in brackets on the "
        f"{first['omitted_examples']:,.0f} of these classes: {'; '.join(counts)}."
    )


def _offsets(mended: Sequence[tuple[Row, str]], quote: Quote) -> str:
    """How they were found, and the numbers of the rows that have them."""
    found = "; ".join(f"{name} {_numbers(row, quote)}" for row, name in mended)
    return (
        f"An offset is a number that is added to the student's logit of an omitted class: {found} (means over seeds). "
        f"It was found without labels: over {mended[0][0]['offset_images']:,.0f} training images, those of omitted "
        "classes among them, it makes the student's mean probability of each omitted class equal to the teacher's."
    )


def _numbers(row: Row, quote: Quote) -> str:
    """`3: +0.49, 7: +1.93`."""
    offsets = zip(row["omitted"].split(", "), row["offsets_mean"].split(), strict=False)
    return ", ".join(f"{quote(omitted)}: {offset}" for omitted, offset in offsets)


def _mean_offsets(texts: Series) -> str:
    """Of texts of as many numbers, their means."""
    numbers = [[float(number) for number in text.split()] for text in texts if text]
    return " ".join(f"{sum(column) / len(column):+.2f}" for column in zip(*numbers, strict=False))
