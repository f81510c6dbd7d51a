"""From runs to the comparison: what each point gained over its own baseline, and over each control."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import pandas as pd
from pandas import DataFrame, Series

from kdrun.metrics.paired import Gain, holm, paired
from kdrun.reports.costs import NAN, Row, batch_costs, costs
from kdrun.reports.examples import example_columns
from kdrun.reports.points import Control, Point, data_key, distinct_controls, first_alike, names, points, settings

OF_ONE_TEACHER = (
    "teacher_accuracy",
    "teacher_accuracy_std",
    "gap_recovered",
    "agreement",
    "baseline_agreement",
    "teacher_train_size",
    "teacher_parameters",
    "compression",
    "teacher_flops",
    "teacher_latency_ms",
    "speed_up",
    "teacher_latency_batch_ms",
    "speed_up_batch",
)


def comparison(runs: DataFrame) -> DataFrame:
    """One row for each student point, then one for each distinct set of control runs.

    Pairs are formed of the seeds that both sides have finished, and every mean of a row is over these seeds.
    Accuracies, gains and agreement are fractions. A point that uses the student runs of an earlier one names
    it in `same_as`, and is no further question in Holm's correction.

    runs: rows of `runs.csv` as `reading.read_runs` gives them.
    """
    planned = points(runs)
    controls = [str(name) for name in runs.loc[runs["role"] == "control", "control"].unique()]
    setting = {point.number: number for point, number in zip(planned, settings(planned), strict=True)}
    table = DataFrame(
        [
            *(_student_row(point, controls, setting[point.number]) for point in planned),
            *(_control_row(used, controls, setting[used.point.number]) for used in distinct_controls(planned)),
        ]
    )
    students, alike = table["role"] == "student", first_alike(planned)
    table.loc[students, "same_as"] = table.loc[students, "point"].map(alike).astype(float)
    asked = students & table["same_as"].isna()
    table.loc[asked, "p_value_holm"] = holm(table.loc[asked, "p_value"].tolist())
    adjusted = table.loc[asked].set_index("point")["p_value_holm"]
    again = table["same_as"].notna()
    table.loc[again, "p_value_holm"] = table.loc[again, "same_as"].map(adjusted)
    table["selected"] = _selected(table[asked], planned).reindex(table.index, fill_value=False)
    return table


def _student_row(point: Point, controls: Sequence[str], setting: int) -> Row:
    against = {name: _gain(point.student, point.controls[name]) for name in controls if name in point.controls}
    row = _row(point, point.student, "student", _control_columns(controls, against), setting)
    unbeaten = [name for name, gain in against.items() if gain.n > 1 and gain.verdict != "better"]
    return row | {"explained_by": "+".join(unbeaten) if row["verdict"] == "better" else ""}


def _control_row(used: Control, controls: Sequence[str], setting: int) -> Row:
    learners = used.point.controls[used.name]
    row = _row(used.point, learners, "control", _control_columns(controls, {}), setting) | {"knowledge": used.name}
    if used.shared:
        row["overrides"] = ""
    if used.several_teachers:
        row |= {"teacher": ""} | dict.fromkeys(OF_ONE_TEACHER, NAN)
    return row


def _control_columns(controls: Sequence[str], gains: Mapping[str, Gain]) -> Row:
    columns: Row = {}
    for name in controls:
        gain = gains.get(name, paired([]))
        columns[f"gain_over_{name}_mean"] = gain.mean
        columns[f"gain_over_{name}_ci95_low"] = gain.ci95_low
        columns[f"gain_over_{name}_ci95_high"] = gain.ci95_high
    return columns


def _row(point: Point, learners: DataFrame, role: str, against_controls: Row, setting: int) -> Row:
    """The columns that students and controls share, in the order of the file."""
    planned, teachers = learners.iloc[0], _finished(point.teachers).drop_duplicates("run_id")
    ours, base = _pairs(learners, point.baseline)
    gain = _gain(learners, point.baseline)
    teacher_accuracy = teachers["test_accuracy"].mean()
    gap, spread = teacher_accuracy - base["test_accuracy"].mean(), base["test_accuracy"].std()
    return {
        "dataset": planned["dataset"],
        "teacher": names(point.teachers["teacher"]) or planned["teacher"],
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
        "gap_recovered": gain.mean / gap if gap > (0 if math.isnan(spread) else spread) else NAN,
        "agreement": ours["agreement"].mean(),
        "role": role,
        "point": point.number,
        "overrides": planned["overrides"],
        "p_value_holm": NAN,
        **against_controls,
        **_recipe_and_scores(point, ours, base),
        **costs(ours, teachers),
        "train_seconds_mean": ours["train_seconds"].mean(),
        "test_examples": ours["test_examples"].max(),
        "precision": names(ours["precision"]),
        "device": names(ours["device"]),
        "baseline_agreement": base["agreement"].mean(),
        "n_seeds_planned": len(learners),
        "explained_by": "",
        "setting": setting,
        "same_as": NAN,
        "variant": planned["variant"] if role == "student" else "",
        "tau_schedule": planned["tau_schedule"],
        "alpha_schedule": planned["alpha_schedule"],
        "teacher_accuracy_std": teachers["test_accuracy"].std(),
        "special_classes": names(point.teachers["special_classes"]),
        **example_columns(learners, ours, base),
        "baseline_parameters": base["parameters"].max(),
        **batch_costs(ours, teachers),
        "label_weight": planned["label_weight"],
    }


def _recipe_and_scores(point: Point, ours: DataFrame, base: DataFrame) -> Row:
    return {
        "validation_accuracy_mean": ours["validation_accuracy"].mean(),
        "selected": False,
        "teacher_train_size": point.teachers["teacher_train_size"].max(),
        "train_size": point.student["train_size"].max(),
        "epochs": pd.concat([point.student["epochs"], point.baseline["epochs"]]).max(),
        "baseline_nll_mean": base["test_nll"].mean(),
        "student_nll_mean": ours["test_nll"].mean(),
        "baseline_ece_mean": base["test_ece"].mean(),
        "student_ece_mean": ours["test_ece"].mean(),
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


def _selected(students: DataFrame, planned: Sequence[Point]) -> Series:
    """True for the point with the best mean validation accuracy of those validated on the same examples.

    students: a row for each point that is not the same as another. None is selected where it stands alone.
    """
    keys = {point.number: data_key(point) for point in planned}
    chosen = pd.Series(False, index=students.index)
    for _, rows in students.groupby(students["point"].map(keys)):
        if len(rows) > 1 and rows["validation_accuracy_mean"].notna().any():
            chosen |= students.index == rows["validation_accuracy_mean"].idxmax()
    return chosen
