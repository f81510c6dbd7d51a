"""What is typed about the loss, from the command line to the table."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from calling import TOY, Kdrun

CONV = (*TOY[:4], "teacher=conv_m", "student=conv_s", "dataset.source.size=12", "seeds=[0,1]", "controls=[]")


def test_alpha_without_a_meaning_is_said_once_and_its_points_are_one_question(kdrun: Kdrun, tmp_path: Path) -> None:
    swept = kdrun("sweep", *CONV, "knowledge=feature/fitnet,relation/rkd,response/kd", "alpha=0.3,0.7")
    assert swept.code == 0, swept.err
    told = [line for line in swept.err.splitlines() if "has no meaning" in line]
    assert len(told) == 1
    assert "alpha has no meaning for knowledge fitnet, rkd: added" in told[0]
    (file,) = tmp_path.glob("outputs/reports/*/comparison.csv")
    rows = pd.read_csv(file)
    assert rows["same_as"].tolist()[:4] == pytest.approx([float("nan"), 0, float("nan"), 2], nan_ok=True)
    assert rows["alpha"].tolist() == pytest.approx([float("nan")] * 4 + [0.3, 0.7], nan_ok=True)
    assert rows["label_weight"].tolist() == pytest.approx([1, 1, 1, 1, 0.7, 0.3])
    assert len(list(tmp_path.glob("outputs/runs/student-*"))) == 2 * 4
    assert "Of 4 points" in swept.out


def test_alpha_beside_a_mixed_term_is_not_remarked_on(kdrun: Kdrun) -> None:
    assert "no meaning" not in kdrun("distill", *TOY, "seeds=[0]", "alpha=0.3", "--dry-run").err
    assert "no meaning" not in kdrun("distill", *CONV, "knowledge=feature/fitnet", "--dry-run").err


def test_a_typed_weight_of_labels_stands_in_the_table(kdrun: Kdrun, tmp_path: Path) -> None:
    typed = "knowledge=[response/kd,relation/rkd]", "alpha=1", "label_weight=1"
    ended = kdrun("distill", *CONV, *typed)
    assert ended.code == 0, ended.err
    assert "kd+rkd tau=4 alpha=1 label_weight=1" in " ".join(ended.out.split())
    row = pd.read_csv(tmp_path / "outputs" / "results.csv").query("kind == 'student'").iloc[0]
    assert row["alpha"] == 1
    metrics = pd.read_csv(tmp_path / "outputs" / "runs" / row["run_id"] / "metrics.csv")
    sums = metrics["train_ce"] + metrics["train_kd"] + metrics["train_rkd"]
    assert metrics["train_loss"].tolist() == pytest.approx(sums.tolist(), rel=1e-5)


def test_without_labels_no_cross_entropy_is_computed(kdrun: Kdrun, tmp_path: Path) -> None:
    assert kdrun("distill", *CONV, "knowledge=feature/simkd").code == 0
    metrics = pd.read_csv(next(tmp_path.glob("outputs/runs/student-*/metrics.csv")))
    assert "train_ce" not in metrics
    assert metrics["train_loss"].tolist() == pytest.approx(metrics["train_simkd"].tolist())
