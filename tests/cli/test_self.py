"""Students that teach themselves, as a user asks for them."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from calling import TOY, Kdrun

BASE = tuple(override for override in TOY if not override.startswith("student="))
MLP, CONV = ("student=mlp30",), ("student=conv_s", "student.stem_stride=1")
SHORT = ("seeds=[0,1]", "train.student.epochs=2")


@pytest.mark.parametrize(("mode", "alone"), [("ps_kd", (*MLP, "tau=1")), ("byot", CONV)])
def test_a_student_that_nobody_else_teaches_has_no_teacher_in_its_report(
    kdrun: Kdrun, mode: str, alone: tuple[str, ...]
) -> None:
    told = kdrun("distill", *BASE, *SHORT, *alone, f"mode={mode}")
    assert (told.code, "teacher" in told.out.partition("Intervals")[0]) == (0, False), told.out + told.err
    assert "teacher over the student" not in told.out
    assert f"{mode}, kd tau=" in told.out
    assert "label smoothing" in told.out
    (report,) = Path().glob("outputs/reports/*")
    row = pd.read_csv(report / "comparison.csv").query("role == 'student'").iloc[0]
    assert (row["mode"], row["n_seeds"]) == (mode, 2)
    assert row[["teacher", "teacher_accuracy", "agreement", "compression"]].isna().all()
    assert kdrun("report", report.name).code == 0
    run = next(path.name for path in Path("outputs/runs").glob("student-*"))
    refused = kdrun("explain", *TOY[:2], run)
    assert (refused.code, "has no teacher; name a distilled run" in refused.err) == (2, True)


def test_generations_are_rows_with_the_mean_of_their_teachers(kdrun: Kdrun) -> None:
    told = kdrun("distill", *BASE, *MLP, *SHORT, "mode=born_again", "mode.generations=2", "mode.ensemble=true")
    assert told.code == 0, told.err
    for line in ("teacher mlp30 of generation 1", "generation 2 ", "ensemble of generations 1 to 2"):
        assert line in told.out
    (report,) = Path().glob("outputs/reports/*")
    rows = pd.read_csv(report / "comparison.csv").query("role == 'student'")
    first, second, mean = rows.to_dict("records")
    assert first["teacher_accuracy"] == pytest.approx(first["baseline_accuracy_mean"])
    assert second["teacher_accuracy"] == pytest.approx(first["student_accuracy_mean"])
    assert mean["variant"] == "ensemble of generations 1 to 2"
    assert "lacks" not in (report / "report.html").read_text()
    assert kdrun("explain", *TOY[:2], "--text", _run_of("1001")).code == 0


def _run_of(seed: str) -> str:
    results = pd.read_csv("outputs/results.csv", dtype=str)
    return str(results[results["seed"] == seed].iloc[0]["run_id"])


@pytest.mark.parametrize(
    ("overrides", "told"),
    [
        (("mode=ps_kd", "knowledge=relation/rkd", *MLP), "knowledge rkd reads features, and past logits are all"),
        (("mode=ps_kd", "knowledge=feature/simkd", *CONV), "knowledge simkd takes over a teacher's classifier"),
        (("mode=byot", "knowledge=relation/rkd", *MLP), "knowledge rkd reads features, and a head"),
        (("mode=byot", "student=mlp", "student.widths=[8]"), "of two stages or more"),
        (("mode=byot", "mode.hint=-1", *MLP), "mode.hint must be at least 0, got -1"),
        (("mode=born_again", "alpha=0"), "mode=born_again with alpha=0: no generation would learn from another"),
        (("mode=born_again", "mode.generations=0"), "mode.generations must be at least 1, got 0"),
    ],
)
def test_what_does_not_fit_is_refused_before_anything_is_trained(
    kdrun: Kdrun, overrides: tuple[str, ...], told: str
) -> None:
    refused = kdrun("distill", *BASE, *overrides)
    assert (refused.code, refused.err.count("\n")) == (2, 1)
    assert told in refused.err
    assert not list(Path().glob("outputs/runs/*"))


@pytest.mark.parametrize("mode", ["ps_kd", "byot", "born_again"])
def test_a_dry_run_tells_the_runs_and_trains_none(kdrun: Kdrun, mode: str) -> None:
    told = kdrun("distill", *BASE, *MLP, f"mode={mode}", "--dry-run")
    assert (told.code, "memory of a training step" in told.out) == (0, True)
    assert "estimated from shapes" in told.out
    assert not Path("outputs").exists()
