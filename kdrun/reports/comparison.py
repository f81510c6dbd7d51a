"""From runs to the comparison: what each point gained over its own baseline, and over each control."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd
from pandas import DataFrame, Series

from kdrun.metrics.paired import Gain, holm, paired

Row = dict[str, object]


@dataclass(frozen=True)
class Point:
    """The runs that one point uses, by role; finished or not."""

    number: int
    teachers: DataFrame
    baseline: DataFrame
    student: DataFrame
    controls: Mapping[str, DataFrame]


def comparison(runs: DataFrame) -> DataFrame:
    """One row for each student point, then one for each distinct set of control runs.

    Pairs are formed of the seeds that both sides have finished, and every mean of a row is over these seeds.
    Accuracies, gains and agreement are fractions.

    runs: rows of `runs.csv` as `reading.read_runs` gives them.
    """
    points = [_point(int(str(number)), rows) for number, rows in runs.groupby("point")]
    names = [str(name) for name in runs.loc[runs["role"] == "control", "control"].unique()]
    settings = _settings(points)
    rows = [_student_row(point, names) | {"setting": settings[_baseline_key(point)]} for point in points]
    for point, name, shared in _distinct_controls(points):
        rows.append(_control_row(point, name, shared, names) | {"setting": settings[_baseline_key(point)]})
    table = DataFrame(rows)
    students = table["role"] == "student"
    table.loc[students, "p_value_holm"] = holm(table.loc[students, "p_value"].tolist())
    table["selected"] = _selected(table)
    return table


def _point(number: int, rows: DataFrame) -> Point:
    def of(role: str) -> DataFrame:
        return rows[rows["role"] == role]

    controls = {str(name): chosen for name, chosen in of("control").groupby("control", sort=False)}
    return Point(number, of("teacher"), of("baseline"), of("student"), controls)


def _student_row(point: Point, names: list[str]) -> Row:
    against = {name: _gain(point.student, point.controls[name]) for name in names if name in point.controls}
    row = _row(point, point.student, "student", _control_columns(names, against))
    unbeaten = [name for name, gain in against.items() if gain.n > 1 and gain.verdict != "better"]
    return row | {"explained_by": "+".join(unbeaten) if row["verdict"] == "better" else ""}


def _control_row(point: Point, name: str, shared: bool, names: list[str]) -> Row:
    row = _row(point, point.controls[name], "control", _control_columns(names, {}))
    row |= {"knowledge": name, "explained_by": ""}
    return row | {"overrides": ""} if shared else row


def _control_columns(names: list[str], gains: Mapping[str, Gain]) -> Row:
    columns: Row = {}
    for name in names:
        gain = gains.get(name, paired([]))
        columns[f"gain_over_{name}_mean"] = gain.mean
        columns[f"gain_over_{name}_ci95_low"] = gain.ci95_low
        columns[f"gain_over_{name}_ci95_high"] = gain.ci95_high
    return columns


def _row(point: Point, learners: DataFrame, role: str, against_controls: Row) -> Row:
    """The columns that students and controls share, in the order of the file."""
    planned, teachers = learners.iloc[0], _finished(point.teachers).drop_duplicates("run_id")
    ours, base = _pairs(learners, point.baseline)
    gain = _gain(learners, point.baseline)
    teacher_accuracy = teachers["test_accuracy"].mean()
    gap = teacher_accuracy - base["test_accuracy"].mean()
    return {
        "dataset": planned["dataset"],
        "teacher": _names(point.teachers["teacher"]) or planned["teacher"],
        "student": planned["student"],
        "knowledge": planned["knowledge"],
        "mode": planned["mode"],
        "tau": planned["tau"],
        "alpha": planned["alpha"],
        "n_seeds": gain.n,
        "teacher_accuracy": teacher_accuracy,
        "baseline_accuracy_mean": base["test_accuracy"].mean(),
        "baseline_accuracy_std": base["test_accuracy"].std(),
        "student_accuracy_mean": ours["test_accuracy"].mean(),
        "student_accuracy_std": ours["test_accuracy"].std(),
        "gain_mean": gain.mean,
        "gain_ci95_low": gain.ci95_low,
        "gain_ci95_high": gain.ci95_high,
        "p_value": gain.p_value,
        "verdict": gain.verdict,
        "gap_recovered": gain.mean / gap if gap > 0 else float("nan"),
        "agreement": ours["agreement"].mean(),
        "role": role,
        "point": point.number,
        "overrides": planned["overrides"],
        "p_value_holm": float("nan"),
        **against_controls,
        **_settings_and_costs(point, ours, base, teachers),
        "baseline_agreement": base["agreement"].mean(),
        "n_seeds_planned": len(learners),
    }


def _settings_and_costs(point: Point, ours: DataFrame, base: DataFrame, teachers: DataFrame) -> Row:
    student_parameters, teacher_parameters = ours["parameters"].max(), teachers["parameters"].max()
    student_latency, teacher_latency = ours["latency_ms"].median(), teachers["latency_ms"].median()
    same_device = _names(ours["device"]) == _names(teachers["device"])
    return {
        "validation_accuracy_mean": ours["validation_accuracy"].mean(),
        "selected": False,
        "teacher_train_size": point.teachers["teacher_train_size"].max(),
        "train_size": point.student["train_size"].max(),
        "epochs": point.student["epochs"].max(),
        "baseline_nll_mean": base["test_nll"].mean(),
        "student_nll_mean": ours["test_nll"].mean(),
        "baseline_ece_mean": base["test_ece"].mean(),
        "student_ece_mean": ours["test_ece"].mean(),
        "student_parameters": student_parameters,
        "teacher_parameters": teacher_parameters,
        "compression": teacher_parameters / student_parameters,
        "student_flops": ours["flops"].max(),
        "teacher_flops": teachers["flops"].max(),
        "student_latency_ms": student_latency,
        "teacher_latency_ms": teacher_latency,
        "speed_up": teacher_latency / student_latency if same_device else float("nan"),
        "train_seconds_mean": ours["train_seconds"].mean(),
        "test_examples": ours["test_examples"].max(),
        "precision": _names(ours["precision"]),
        "device": _names(ours["device"]),
    }


def _finished(runs: DataFrame) -> DataFrame:
    return runs[(runs["status"] == "finished") & runs["test_accuracy"].notna()]


def _pairs(ours: DataFrame, theirs: DataFrame) -> tuple[DataFrame, DataFrame]:
    """Finished runs of the seeds that both sides have, in the same order."""
    left, right = _finished(ours).set_index("seed"), _finished(theirs).set_index("seed")
    seeds = left.index.intersection(right.index)
    return left.loc[seeds], right.loc[seeds]


def _gain(ours: DataFrame, theirs: DataFrame) -> Gain:
    left, right = _pairs(ours, theirs)
    return paired((left["test_accuracy"] - right["test_accuracy"]).tolist())


def _names(column: Series) -> str:
    return "+".join(name for name in dict.fromkeys(map(str, column)) if name)


def _baseline_key(point: Point) -> tuple[str, ...]:
    """What makes two points comparable in one table: the same baseline runs."""
    described = point.student.iloc[0]
    return described["dataset"], described["student"], *sorted(point.baseline["run_id"])


def _settings(points: list[Point]) -> dict[tuple[str, ...], int]:
    keys = dict.fromkeys(_baseline_key(point) for point in points)
    return {key: number for number, key in enumerate(keys)}


def _distinct_controls(points: list[Point]) -> list[tuple[Point, str, bool]]:
    """Each set of control and baseline runs at the first point that uses it, and whether others do."""
    first: dict[tuple[str, ...], tuple[Point, str]] = {}
    uses: dict[tuple[str, ...], int] = {}
    for point in points:
        for name, runs in point.controls.items():
            key = (name, *sorted(runs["run_id"]), "", *_baseline_key(point))
            first.setdefault(key, (point, name))
            uses[key] = uses.get(key, 0) + 1
    return [(point, name, uses[key] > 1) for key, (point, name) in first.items()]


def _selected(table: DataFrame) -> Series:
    """True for the student point of a data set with the best mean validation accuracy, if it has several."""
    chosen = pd.Series(False, index=table.index)
    for _, rows in table[table["role"] == "student"].groupby("dataset"):
        if len(rows) > 1 and rows["validation_accuracy_mean"].notna().any():
            chosen |= table.index == rows["validation_accuracy_mean"].idxmax()
    return chosen
