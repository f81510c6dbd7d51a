"""The points of a plan with the runs that each uses, and which of them share runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pandas import DataFrame, Series


@dataclass(frozen=True)
class Point:
    """The runs that one point uses, by role; finished or not."""

    number: int
    teachers: DataFrame
    baseline: DataFrame
    student: DataFrame
    controls: Mapping[str, DataFrame]


@dataclass(frozen=True)
class Control:
    """A distinct set of control and baseline runs: the first point that uses it, and what others do."""

    point: Point
    name: str
    shared: bool
    several_teachers: bool


def points(runs: DataFrame) -> list[Point]:
    """The points in the order of their numbers.

    runs: rows of `runs.csv` as `reading.read_runs` gives them.
    """
    return [_point(int(str(number)), rows) for number, rows in runs.groupby("point")]


def settings(points: Sequence[Point]) -> list[int]:
    """For each point the number of its table: points with the same baseline runs are comparable in one."""
    keys = [_baseline_key(point) for point in points]
    numbers = {key: number for number, key in enumerate(dict.fromkeys(keys))}
    return [numbers[key] for key in keys]


def first_alike(points: Sequence[Point]) -> dict[int, int]:
    """For each point that uses the very student runs of an earlier one, the number of that one."""
    first: dict[tuple[str, ...], int] = {}
    named = [point for point in points if (point.student["run_id"] != "").all()]
    numbers = {point.number: first.setdefault(_run_ids(point.student), point.number) for point in named}
    return {number: earlier for number, earlier in numbers.items() if earlier != number}


def distinct_controls(points: Sequence[Point]) -> list[Control]:
    """Each distinct set of control runs, in the order of the points."""
    users: dict[tuple[str, ...], list[tuple[Point, str]]] = {}
    for point in points:
        for name, runs in point.controls.items():
            users.setdefault((name, *_run_ids(runs), "", *_baseline_key(point)), []).append((point, name))
    return [
        Control(*using[0], len(using) > 1, len({_run_ids(point.teachers) for point, _ in using}) > 1)
        for using in users.values()
    ]


def data_key(point: Point) -> tuple[str, ...]:
    """The same for two points where they are validated on the same examples of the same data set."""
    return point.student.iloc[0]["dataset"], *sorted(set(point.student["validation_id"]) - {""})


def names(column: Series) -> str:
    """The distinct texts of a column, joined by `+`."""
    return "+".join(name for name in dict.fromkeys(map(str, column)) if name)


def _point(number: int, rows: DataFrame) -> Point:
    def of(role: str) -> DataFrame:
        return rows[rows["role"] == role]

    controls = {str(name): chosen for name, chosen in of("control").groupby("control", sort=False)}
    return Point(number, of("teacher"), of("baseline"), of("student"), controls)


def _baseline_key(point: Point) -> tuple[str, ...]:
    described = point.student.iloc[0]
    return described["dataset"], described["student"], *_run_ids(point.baseline)


def _run_ids(runs: DataFrame) -> tuple[str, ...]:
    return tuple(sorted(set(runs["run_id"])))
