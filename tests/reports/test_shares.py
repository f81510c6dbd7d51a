"""Curves, gains by class, confusions and calibration, against numbers worked out by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from kdrun.metrics.paired import paired
from kdrun.reports.details import Details, read_details
from kdrun.reports.points import Point, points
from kdrun.reports.reading import read_runs
from kdrun.reports.shares import class_gains, confusion_difference, curve, learners, reliability

BASELINE, STUDENT = (6, 8), (9, 10)  # right of ten examples of class 0, seed by seed; the others are taken for class 1


@pytest.fixture
def known(runs, tmp_path: Path) -> tuple[Point, Details]:
    """A point of two seeds with three classes: 0 as above, 1 always right, 2 never."""
    built = runs(seeds=2).point(0, controls=(), test_examples=20)
    rows = []
    for role, hits in (("baseline", BASELINE), ("student-0", STUDENT)):
        for seed, right in enumerate(hits):
            counts = {(0, 0): right, (0, 1): 10 - right, (1, 1): 5, (2, 1): 5}
            rows += [(f"{role}-{seed}", *pair, number) for pair, number in counts.items() if number]
    folder = built.write_details(built.write(tmp_path / "night"))
    pd.DataFrame(rows, columns=["run_id", "label", "predicted", "examples"]).to_csv(
        folder / "confusion.csv", index=False
    )
    (folder / "classes.csv").write_text('dataset,class,name\nmnist5k,0,"nought, zero"\nother,1,one\n')
    read = read_runs(folder / "runs.csv").rows
    return points(read)[0], read_details(folder, read)


def test_gains_by_class_are_paired_over_seeds(known) -> None:
    point, details = known
    found = class_gains(details, point).set_index("label")
    gain = paired([0.3, 0.2])
    assert found.loc[0, "name"] == "nought, zero"
    assert found["name"].tolist()[1:] == ["1", "2"]
    assert found.loc[0, ["baseline_accuracy_mean", "student_accuracy_mean"]].tolist() == pytest.approx([0.7, 0.95])
    assert found.loc[0, ["gain_mean", "gain_ci95_low", "gain_ci95_high"]].tolist() == pytest.approx(
        [gain.mean, gain.ci95_low, gain.ci95_high]
    )
    assert found.loc[[1, 2], "gain_mean"].tolist() == [0, 0]
    assert found["examples"].tolist() == [10, 5, 5]


def test_confusions_change_by_shares_of_the_class(known) -> None:
    point, details = known
    found = confusion_difference(details, point).set_index(["label", "predicted"])["difference"]
    assert found.to_dict() == pytest.approx({(0, 0): 0.25, (0, 1): -0.25, (1, 1): 0, (2, 1): 0})


def test_runs_of_which_one_side_is_missing_are_in_no_pair(known) -> None:
    point, details = known
    left = details._replace(confusion=details.confusion[details.confusion["run_id"] != "student-0-0"])
    found = class_gains(left, point).set_index("label")
    assert found.loc[0, ["n_seeds", "gain_mean"]].tolist() == pytest.approx([1, 0.2])
    assert np.isnan(found.loc[0, "gain_ci95_low"])


def test_curves_are_means_over_the_runs_that_came_so_far(known) -> None:
    point, details = known
    student = learners(point)[-1]
    cut = details.curves[(details.curves["run_id"] != "student-0-1") | (details.curves["epoch"] < 3)]
    found = curve(details._replace(curves=cut), student, "train_loss")
    assert found["mean"].tolist() == pytest.approx([2 / epoch for epoch in range(1, 21)])
    assert found["count"].tolist() == [2, 2, *[1] * 18]
    assert found["std"].isna().tolist() == [False, False, *[True] * 18]
    assert curve(details, student, "validation_f1").empty


def test_reliability_is_counted_over_all_seeds(known) -> None:
    point, details = known
    rows = [("student-0-0", 9, 10, 8, 6.2), ("student-0-1", 9, 30, 12, 19.0), ("student-0-0", 14, 10, 10, 9.9)]
    counts = pd.DataFrame(rows, columns=["run_id", "bin", "examples", "correct", "confidence_sum"])
    found = reliability(details._replace(reliability=counts), learners(point)[-1])
    assert found["share"].tolist() == pytest.approx([0.8, 0.2])
    assert found["accuracy"].tolist() == pytest.approx([0.5, 1.0])
    assert found["confidence"].tolist() == pytest.approx([0.63, 0.99])
    assert found[["low", "high"]].iloc[0].tolist() == pytest.approx([0.6, 2 / 3])


def test_learners_are_those_with_a_finished_run(runs, read) -> None:
    point = points(read(runs(seeds=2).point(0, missing=(0, 1))))[0]
    assert [(one.role, one.control) for one in learners(point)] == [
        ("teacher", ""),
        ("baseline", ""),
        ("control", "label_smoothing"),
    ]
