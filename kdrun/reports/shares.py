"""From counts and epochs of runs to what is drawn: curves, gains by class, confusions, calibration."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import pandas as pd
from pandas import DataFrame, Index

from kdrun.metrics.calibration import ECE_BINS
from kdrun.metrics.paired import paired
from kdrun.reports.details import Details
from kdrun.reports.points import Point


class Learner(NamedTuple):
    """Runs that differ in their seed only. role: teacher, baseline, control or student; control: its name."""

    role: str
    control: str
    runs: DataFrame


def learners(point: Point) -> list[Learner]:
    """Who learned at a point: teachers, baseline, controls, student; each only where a run of it is finished."""
    given = [
        Learner("teacher", "", point.teachers),
        Learner("baseline", "", point.baseline),
        *(Learner("control", name, runs) for name, runs in point.controls.items()),
        Learner("student", "", point.student),
    ]
    finished = [one._replace(runs=one.runs[one.runs["status"] == "finished"]) for one in given]
    return [one for one in finished if len(one.runs)]


def curve(details: Details, learner: Learner, quantity: str) -> DataFrame:
    """Mean and sample standard deviation over runs, and the number of runs, for each epoch.

    quantity: a column of curves.csv.
    """
    rows = details.curves[details.curves["run_id"].isin(learner.runs["run_id"])]
    if quantity not in rows:
        return DataFrame({"mean": [], "std": [], "count": []})
    return rows.groupby("epoch")[quantity].agg(["mean", "std", "count"]).query("count > 0")


def class_gains(details: Details, point: Point) -> DataFrame:
    """For each class of a point's test set: accuracies, and the gain with its interval, paired over seeds.

    Columns: label, name, examples, n_seeds, baseline_accuracy_mean, student_accuracy_mean, gain_mean,
    gain_ci95_low, gain_ci95_high. Accuracies of a class are shares of its examples.
    """
    student, baseline = _paired_runs(details, point)
    ours, theirs = _shares(details, student), _shares(details, baseline)
    examples = ours.groupby("label")["of"].max()
    student_right, baseline_right = (_right(shares, examples.index, len(student)) for shares in (ours, theirs))
    names = class_names(details, point)
    rows = []
    for label in examples.index:
        gain = paired((student_right[label] - baseline_right[label]).tolist())
        rows.append(
            {
                "label": int(label),
                "name": names.get(label, f"{label:.0f}"),
                "examples": int(examples[label]),
                "n_seeds": gain.n,
                "baseline_accuracy_mean": baseline_right[label].mean(),
                "student_accuracy_mean": student_right[label].mean(),
                "gain_mean": gain.mean,
                "gain_ci95_low": gain.ci95_low,
                "gain_ci95_high": gain.ci95_high,
            }
        )
    return DataFrame(rows)


def confusion_difference(details: Details, point: Point) -> DataFrame:
    """How much more often the student gives a class to the examples of another than the baseline does.

    Columns: label, predicted, difference; means over the seeds that both have, of shares of the label's examples.
    Pairs that neither gives are left out.
    """
    student, baseline = _paired_runs(details, point)
    signed = [_shares(details, student), _shares(details, baseline).assign(share=lambda rows: -rows["share"])]
    total = pd.concat(signed).groupby(["label", "predicted"])["share"].sum() / max(len(student), 1)
    return total.rename("difference").reset_index()


def reliability(details: Details, learner: Learner) -> DataFrame:
    """For each bin of confidence, over all runs: share of the examples, mean confidence, accuracy.

    Columns: bin (index), low, high, share, confidence, accuracy.
    """
    rows = details.reliability[details.reliability["run_id"].isin(learner.runs["run_id"])]
    sums = rows.groupby("bin")[["examples", "correct", "confidence_sum"]].sum()
    return DataFrame(
        {
            "low": sums.index / ECE_BINS,
            "high": (sums.index + 1) / ECE_BINS,
            "share": sums["examples"] / sums["examples"].sum(),
            "confidence": sums["confidence_sum"] / sums["examples"],
            "accuracy": sums["correct"] / sums["examples"],
        }
    )


def class_names(details: Details, point: Point) -> dict[float, str]:
    """The names of the classes of a point's data set, where they are known."""
    named = details.classes[details.classes["dataset"] == point.student.iloc[0]["dataset"]]
    return dict(zip(named["class"], named["name"], strict=True))


def _paired_runs(details: Details, point: Point) -> tuple[list[str], list[str]]:
    """Run ids of student and baseline for the seeds of which both are counted, in the same order."""
    counted = set(details.confusion["run_id"])
    ids = [
        runs[runs["run_id"].isin(counted)].drop_duplicates("seed").set_index("seed")["run_id"]
        for runs in (point.student, point.baseline)
    ]
    seeds = ids[0].index.intersection(ids[1].index)
    return ids[0][seeds].tolist(), ids[1][seeds].tolist()


def _shares(details: Details, run_ids: Sequence[str]) -> DataFrame:
    """The runs' rows of confusion.csv. run: its place among the ids; share: of the label's examples; of: how many."""
    places = {run_id: place for place, run_id in enumerate(run_ids)}
    rows = details.confusion[details.confusion["run_id"].isin(places)]
    of = rows.groupby(["run_id", "label"])["examples"].transform("sum")
    return rows.assign(run=rows["run_id"].map(places), of=of, share=rows["examples"] / of)


def _right(shares: DataFrame, labels: Index[float], runs: int) -> DataFrame:
    """A row for each run and a column for each class: the share of its examples that is right."""
    right = shares[shares["label"] == shares["predicted"]].groupby(["run", "label"])["share"].sum().unstack()
    return right.reindex(index=range(runs), columns=labels).fillna(0.0)
