"""What a report is given of its runs, against the runs' own files."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from calling import TOY
from stores import fill

from kdrun.cli.points import grid
from kdrun.plans import Plan
from kdrun.plans.build import comparison_plan
from kdrun.plans.record import write_record
from kdrun.runs.store import Store

NAMES = ("cat", "<b>", "c")


@pytest.fixture
def plan() -> Plan:
    overrides = [*TOY[2:], "tau=1,4", "seeds=[0,1]"]
    return comparison_plan(grid(overrides=overrides, experiment=None, config_dir=[Path(TOY[1])]))


@pytest.fixture
def store(plan: Plan, tmp_path: Path) -> Store:
    return fill(tmp_path, plan, epochs=3, examples=50, class_names=NAMES)


def _record(plan: Plan, store: Store, name: str) -> pd.DataFrame:
    return pd.read_csv(write_record(plan, store, "sweep", "kdrun sweep") / name)


def test_each_runs_epochs_are_kept_once(plan: Plan, store: Store) -> None:
    curves = _record(plan, store, "curves.csv")
    assert set(curves["run_id"]) == {spec.run_id for spec in plan.runs}
    assert curves.groupby("run_id")["epoch"].apply(list).tolist() == [[1, 2, 3]] * len(plan.runs)
    own = pd.read_csv(store.folder(plan.runs[0]).path / "metrics.csv")
    pd.testing.assert_frame_equal(curves[curves["run_id"] == plan.runs[0].run_id][own.columns], own)


def test_counts_agree_with_the_predictions(plan: Plan, store: Store) -> None:
    confusion, reliability = (_record(plan, store, name) for name in ("confusion.csv", "reliability.csv"))
    for spec in plan.runs:
        own = pd.read_csv(store.folder(spec).path / "predictions.csv")
        counts = confusion[confusion["run_id"] == spec.run_id].set_index(["label", "predicted"])["examples"]
        assert counts.to_dict() == own.groupby(["label", "predicted"]).size().to_dict()
        bins = reliability[reliability["run_id"] == spec.run_id]
        assert bins["examples"].sum() == 50
        assert bins["correct"].sum() == (own["label"] == own["predicted"]).sum()
        assert bins["confidence_sum"].sum() == pytest.approx(own["confidence"].sum(), abs=1e-4)


def test_classes_are_named_once_for_each_data_set(plan: Plan, store: Store) -> None:
    assert _record(plan, store, "classes.csv").values.tolist() == [["blobs", k, name] for k, name in enumerate(NAMES)]


def test_runs_that_are_not_finished_are_left_out(plan: Plan, store: Store) -> None:
    (store.folder(plan.runs[-1]).path / "result.json").unlink()
    folder = write_record(plan, store, "sweep", "kdrun sweep")
    assert plan.runs[-1].run_id not in (folder / "confusion.csv").read_text()
    runs = pd.read_csv(folder / "runs.csv")
    assert (runs["status"] == "missing").sum() == 1


def test_a_record_without_any_finished_run_has_no_details(plan: Plan, tmp_path: Path) -> None:
    folder = write_record(plan, Store(tmp_path), "sweep", "kdrun sweep")
    assert {path.name for path in folder.iterdir()} == {"runs.csv", "report.json"}
