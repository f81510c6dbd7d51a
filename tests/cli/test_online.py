"""Networks that learn side by side, from the command line to the reports."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from calling import TOY, Kdrun

MUTUAL = ("distill", *TOY, "seeds=[0,1]", "mode=online", "tau=1", "alpha=0.5")


def _report(outputs: Path) -> tuple[str, pd.DataFrame]:
    (runs,) = outputs.glob("reports/distill-*/runs.csv")
    return runs.parent.name, pd.read_csv(runs, keep_default_na=False)


def test_every_network_has_its_row_beside_its_own_baseline(kdrun: Kdrun, tmp_path: Path) -> None:
    shown = kdrun(*MUTUAL, "mode.peers=[mlp64]")
    assert shown.code == 0, shown.err
    for variant in ("peer 1", "peer 2", "peers' ensemble"):
        assert variant in shown.out
    _, runs = _report(tmp_path / "outputs")
    assert (set(runs["teacher"]), "teacher" in set(runs["role"])) == ({""}, False)
    rows = runs.groupby("point")[["variant", "student"]].agg(set).to_numpy().tolist()
    assert rows == [[{"peer 1"}, {"mlp30"}], [{"peer 2"}, {"mlp64"}], [{"peers' ensemble"}, {"mlp30"}]]
    sizes = {role: list(of["parameters"]) for role, of in runs[runs["student"] == "mlp64"].groupby("role")}
    assert set(map(str, sizes["baseline"])) == set(map(str, sizes["student"])) == set(map(str, sizes["control"]))
    (metrics, *_) = (tmp_path / "outputs").glob("runs/student-mlp30+mlp64-*/metrics.csv")
    assert {"train_loss", "train_kd_1", "train_ce_2"} <= set(pd.read_csv(metrics).columns)
    again = kdrun(*MUTUAL, "mode.peers=[mlp64]")
    assert again.out == shown.out
    assert kdrun("report").code == 0


def test_networks_that_were_put_together_lack_nothing_in_a_report(kdrun: Kdrun, tmp_path: Path) -> None:
    assert kdrun(*MUTUAL).code == 0
    name, runs = _report(tmp_path / "outputs")
    assert dict(zip(runs["variant"] + runs["role"], runs["own_epochs"], strict=True)) == {
        "peer 1baseline": 3, "peer 1control": 3, "peer 1student": 0,
        "peer 2baseline": 3, "peer 2control": 3, "peer 2student": 0,
        "peers' ensemblebaseline": 3, "peers' ensemblecontrol": 3, "peers' ensemblestudent": 3,
    }  # fmt: skip
    assert "Missing" not in (tmp_path / "outputs" / "reports" / name / "report.html").read_text()


def test_a_co_trained_teacher_stands_in_the_table_and_can_be_explored(kdrun: Kdrun, tmp_path: Path) -> None:
    assert kdrun("distill", *TOY, "seeds=[0]", "mode=co_trained").code == 0
    _, runs = _report(tmp_path / "outputs")
    (teacher,) = runs[runs["role"] == "teacher"]["run_id"]
    assert set(runs["teacher"]) == {"mlp30"}
    assert runs[runs["role"] == "student"]["agreement"].tolist() != [""]
    assert kdrun("explain", *TOY[:2], teacher, "--text").code == 0


def test_what_has_no_teacher_is_not_explained_and_the_latest_is_what_can_be(kdrun: Kdrun, tmp_path: Path) -> None:
    online = ("distill", *TOY, "seeds=[0]", "mode=online", "controls=[]")
    assert kdrun(*online).code == 0
    (peer, *_) = (path.name for path in (tmp_path / "outputs").glob("runs/student-*"))
    for words, told in (
        ((), "no finished student or teacher to show under"),
        ((peer,), f"{peer} has no teacher; name a"),
    ):
        refused = kdrun("explain", *TOY[:2], "--text", *words)
        assert (refused.code, refused.err.count("\n")) == (2, 1)
        assert told in refused.err
    assert kdrun("train-teacher", *TOY).code == 0
    assert kdrun(*online, "tau=2").code == 0
    latest = kdrun("explain", *TOY[:2], "--text")
    assert latest.code == 0, latest.err
    assert "teacher-" in latest.out


@pytest.mark.parametrize("by_report", [True, False])
def test_a_peer_is_compared_with_a_student_of_a_teacher_by_what_it_was_trained_as(
    kdrun: Kdrun, tmp_path: Path, by_report: bool
) -> None:
    assert kdrun(*MUTUAL, "controls=[]", "outputs=online").code == 0
    assert kdrun("distill", *TOY, "seeds=[0,1]", "controls=[]").code == 0
    assert kdrun("distill", *TOY, "seeds=[0,1]", "controls=[]", "train.student.epochs=2", "outputs=short").code == 0

    def first(outputs: str) -> str:
        name, runs = _report(tmp_path / outputs)
        run = runs[(runs["role"] == "student") & (runs["seed"] == 0)].iloc[0]["run_id"]
        return f"{outputs}/reports/{name}" if by_report else f"{outputs}/runs/{run}"

    fair = " ".join(kdrun("compare", first("outputs"), first("online")).out.split())
    assert "B kd peer 1" in fair if by_report else "B student mlp30, peer 1" in fair
    assert "peer 1 is not paired" not in fair
    assert "epochs" not in fair
    unfair = " ".join(kdrun("compare", first("short"), first("online")).out.split())
    assert "budget: epochs 3 against 2" in unfair
