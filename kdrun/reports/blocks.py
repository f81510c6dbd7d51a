"""The tables of a report as text cells: one block for each set of baselines."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from pandas import DataFrame

from kdrun.reports import wording
from kdrun.reports.examples import transferred
from kdrun.reports.wording import Quote, Row


@dataclass(frozen=True)
class Column:
    """A column after the names. key: the field of `Line`, and the definition; head: what stands above it."""

    key: str
    head: str
    is_number: bool = True


COLUMNS = (
    Column("accuracy", "accuracy, %"),
    Column("gain", "gain, points [95 %]"),
    Column("verdict", "verdict", is_number=False),
    Column("gap", "gap, %"),
    Column("agreement", "agreement, %"),
    Column("nll", "NLL"),
    Column("ece", "ECE"),
    Column("seconds", "training, s"),
)


@dataclass(frozen=True)
class Line:
    """One row of a table. A cell without a value holds `wording.NONE` or nothing."""

    role: str
    name: str
    selected: bool
    accuracy: str
    gain: str
    verdict: str
    gap: str
    agreement: str
    nll: str
    ece: str
    seconds: str


@dataclass(frozen=True)
class Block:
    """A table, the lines above it that say on what it was measured, and the notes below it."""

    title: tuple[str, ...]
    lines: tuple[Line, ...]
    notes: tuple[str, ...]


def blocks(comparison: DataFrame, quote: Quote) -> list[Block]:
    """A block for each set of baseline runs, in the order of the points.

    comparison: as `comparison.comparison` gives it.
    quote: applied to every name.
    """
    rows = wording.records(comparison)
    names = wording.labels([row for row in rows if row["role"] == "student"])
    points = [row["point"] for row in rows if row["role"] == "student"]
    labelled = {point: quote(name) for point, name in zip(points, names, strict=True)}
    settings = dict.fromkeys(row["setting"] for row in rows)
    return [_block([row for row in rows if row["setting"] == number], labelled, quote) for number in settings]


def _block(rows: Sequence[Row], labelled: Mapping[int, str], quote: Quote) -> Block:
    controls = [row for row in rows if row["role"] == "control"]
    students = [row for row in rows if row["role"] == "student"]
    teachers, marks = _teachers(students), _marks(students)
    lines = (
        _baseline_line(_fullest([*students, *controls])),
        *(_line(row, quote(name), marks) for row, name in zip(controls, wording.labels(controls), strict=True)),
    )
    if len(teachers) > 1:  # these runs have no teacher, and a number against one of several would not say which
        lines = tuple(replace(line, gap="", agreement="") for line in lines)
    return Block(
        title=_title([*students, *controls], teachers, quote),
        lines=(
            *(_teacher_line(row, quote) for row in teachers),
            *lines,
            *(_line(row, labelled[row["point"]], marks) for row in students),
        ),
        notes=(*_specialists(teachers, quote), *_explained(marks, quote), *_alike(students, labelled)),
    )


def _marks(students: Sequence[Row]) -> dict[str, str]:
    """A mark such as `(1)` for each set of controls that may explain a gain, in the order of the rows."""
    explained = dict.fromkeys(row["explained_by"] for row in students if row["explained_by"])
    return {controls: f"({number})" for number, controls in enumerate(explained, 1)}


def _explained(marks: Mapping[str, str], quote: Quote) -> list[str]:
    return [
        f"{mark} not shown to beat {wording.listed([quote(wording.spoken(name)) for name in controls.split('+')])}, "
        "which alone may explain the gain"
        for controls, mark in marks.items()
    ]


def _specialists(teachers: Sequence[Row], quote: Quote) -> list[str]:
    """The classes that each teacher's specialists tell apart."""
    return [
        f"{quote(row['teacher'])} at {wording.percent(row['teacher_accuracy'])} %: "
        f"specialists in {quote(row['special_classes'])}"
        for row in teachers
        if row["special_classes"]
    ]


def _alike(students: Sequence[Row], labelled: Mapping[int, str]) -> list[str]:
    return [
        f"{labelled[row['point']]}: the same runs as {labelled[int(row['same_as'])]}"
        for row in students
        if not math.isnan(row["same_as"])
    ]


def _teachers(students: Sequence[Row]) -> list[Row]:
    """A row for each distinct teacher; none for students that have none."""
    first: dict[tuple[str, str], Row] = {}
    for row in students:
        if row["teacher"]:
            first.setdefault((row["teacher"], str(row["teacher_accuracy"])), row)
    return list(first.values())


def _fullest(rows: Sequence[Row]) -> Row:
    """The row that rests on most seeds: its baseline is the most complete one."""
    return max(rows, key=lambda row: int(row["n_seeds"]))


def _title(rows: Sequence[Row], teachers: Sequence[Row], quote: Quote) -> tuple[str, ...]:
    most = _fullest(rows)
    planned = max(row["n_seeds_planned"] for row in rows)
    seeds = wording.count(planned, "seed")
    epochs = "" if math.isnan(most["epochs"]) else f" for {wording.count(most['epochs'], 'epoch')}"
    return (
        quote(most["dataset"]) + _sized(": {} in the test set", most["test_examples"]),
        *(
            f"teacher {quote(row['teacher'])}{_sized(', trained on {}', row['teacher_train_size'])}: "
            f"{_teachers_accuracy(row)} %"
            for row in teachers
        ),
        f"student {quote(most['student'])}{_trained_on(rows)}{epochs}, "
        + (seeds if most["n_seeds"] == planned else f"{most['n_seeds']} of {seeds} finished"),
    )


def _trained_on(rows: Sequence[Row]) -> str:
    """Of the students', where they are shown more than what has labels."""
    most = _fullest([row for row in rows if row["role"] == "student"] or rows)
    told = transferred(most)
    return f": {told};" if told else _sized(", trained on {}", most["train_size"])


def _sized(template: str, size: float) -> str:
    return "" if math.isnan(size) else template.format(wording.count(size, "example"))


def _teacher_line(row: Row, quote: Quote) -> Line:
    name = f"teacher {quote(row['teacher'])}"
    return Line(
        "teacher", name, False, _teachers_accuracy(row), "", "", "", "", wording.NONE, wording.NONE, wording.NONE
    )


def _teachers_accuracy(row: Row) -> str:
    """With its spread where each seed has its own teacher."""
    return wording.spread(row["teacher_accuracy"], row["teacher_accuracy_std"])


def _baseline_line(row: Row) -> Line:
    return Line(
        role="baseline",
        name="baseline (labels)",
        selected=False,
        accuracy=wording.spread(row["baseline_accuracy_mean"], row["baseline_accuracy_std"]),
        gain="",
        verdict="",
        gap="",
        agreement=wording.percent(row["baseline_agreement"], 1),
        nll=_decimal(row["baseline_nll_mean"]),
        ece=_decimal(row["baseline_ece_mean"]),
        seconds=wording.NONE,
    )


def _line(row: Row, name: str, marks: Mapping[str, str]) -> Line:
    return Line(
        role=row["role"],
        name=name,
        selected=bool(row["selected"]),
        accuracy=wording.spread(row["student_accuracy_mean"], row["student_accuracy_std"]),
        gain=wording.gain(row),
        verdict=f"{row['verdict']} {marks.get(row['explained_by'], '')}".rstrip(),
        gap=wording.percent(row["gap_recovered"], 0),
        agreement=wording.percent(row["agreement"], 1),
        nll=_decimal(row["student_nll_mean"]),
        ece=_decimal(row["student_ece_mean"]),
        seconds=wording.NONE if math.isnan(row["train_seconds_mean"]) else f"{row['train_seconds_mean']:.1f}",
    )


def _decimal(value: float) -> str:
    return wording.NONE if math.isnan(value) else f"{value:.4f}"
