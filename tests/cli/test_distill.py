"""`kdrun train-teacher`, `distill`, `sweep`, `report`, `runs`: what they train, reuse, print and write."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from calling import TOY, Kdrun

COLUMNS = [
    "dataset",
    "teacher",
    "student",
    "knowledge",
    "mode",
    "tau",
    "alpha",
    "n_seeds",
    "teacher_accuracy",
    "baseline_accuracy_mean",
    "baseline_accuracy_std",
    "student_accuracy_mean",
    "student_accuracy_std",
    "gain_mean",
    "gain_ci95_low",
    "gain_ci95_high",
    "p_value",
    "verdict",
    "gap_recovered",
    "agreement",
]


def _kinds(outputs: Path) -> dict[str, int]:
    names = [path.parent.name.partition("-")[0] for path in outputs.glob("runs/*/result.json")]
    return {kind: names.count(kind) for kind in dict.fromkeys(sorted(names))}


def _only(paths: Any) -> Path:
    (path,) = paths
    return Path(path)


def test_distill_trains_compares_and_names_the_folder_last(kdrun: Kdrun, tmp_path: Path) -> None:
    done = kdrun("distill", *TOY, "seeds=[0,1]")
    assert done.code == 0, done.err
    assert _kinds(tmp_path / "outputs") == {"baseline": 2, "control": 2, "student": 2, "teacher": 1}
    folder = _only((tmp_path / "outputs" / "reports").iterdir())
    assert done.out.splitlines()[-1] == f"outputs/reports/{folder.name}/"
    comparison = pd.read_csv(folder / "comparison.csv")
    assert list(comparison.columns[: len(COLUMNS)]) == COLUMNS
    student = comparison[comparison["role"] == "student"].iloc[0]
    assert (student["n_seeds"], student["tau"], student["alpha"]) == (2, 4, 0.7)
    gain = student["student_accuracy_mean"] - student["baseline_accuracy_mean"]
    assert student["gain_mean"] == pytest.approx(gain)
    for name in ("report.md", "report.html", "gain.png", "runs.csv", "report.json"):
        assert (folder / name).stat().st_size > 100


def test_the_report_says_the_command_as_it_was_typed(kdrun: Kdrun, tmp_path: Path) -> None:
    kdrun("distill", *TOY, "seeds=[0]", "tau=2")
    about = json.loads(_only(tmp_path.glob("outputs/reports/*/report.json")).read_text())
    assert shlex.split(about["command"]) == ["kdrun", "distill", *TOY, "seeds=[0]", "tau=2"]


def test_a_runs_folder_holds_a_row_an_epoch_and_where_it_was_made(kdrun: Kdrun, tmp_path: Path) -> None:
    assert kdrun("train-teacher", *TOY).code == 0
    folder = _only((tmp_path / "outputs" / "runs").iterdir())
    assert {path.name for path in folder.iterdir()} - {"lock"} == {
        "classes.csv",
        "metrics.csv",
        "predictions.csv",
        "result.json",
        "spec.json",
        "weights.safetensors",
    }
    metrics = pd.read_csv(folder / "metrics.csv")
    assert list(metrics["epoch"]) == [1, 2, 3]
    assert {"train_loss", "validation_accuracy", "learning_rate", "seconds"} <= set(metrics.columns)
    result = json.loads((folder / "result.json").read_text())
    assert {"torch", "python", "kdrun", "device", "precision", "train_seconds", "threads"} <= set(result)
    assert (result["compile"], result["cuda_graphs"], result["tf32"]) == (False, False, False)
    predictions = pd.read_csv(folder / "predictions.csv")
    assert (predictions["label"] == predictions["predicted"]).mean() == pytest.approx(result["test_accuracy"])


def test_the_same_command_again_trains_nothing_and_prints_the_same(kdrun: Kdrun, tmp_path: Path) -> None:
    first = kdrun("distill", *TOY, "seeds=[0,1]")
    stamps = {path: path.stat().st_mtime_ns for path in tmp_path.glob("outputs/runs/*/*")}
    again = kdrun("distill", *TOY, "seeds=[0,1]")
    assert again.out == first.out
    assert again.err == ""
    assert stamps == {path: path.stat().st_mtime_ns for path in tmp_path.glob("outputs/runs/*/*")}


def test_temperature_alpha_and_knowledge_share_teacher_baseline_and_controls(kdrun: Kdrun, tmp_path: Path) -> None:
    kdrun("distill", *TOY, "seeds=[0]")
    for change in ("tau=2", "alpha=0.3", "knowledge=response/logit_mse"):
        assert kdrun("distill", *TOY, "seeds=[0]", change).code == 0
    assert _kinds(tmp_path / "outputs") == {"baseline": 1, "control": 1, "student": 4, "teacher": 1}


def test_a_sweep_of_five_temperatures_by_three_seeds_plans_22_runs(kdrun: Kdrun, tmp_path: Path) -> None:
    planned = kdrun("sweep", *TOY, "--dry-run")
    assert planned.out.splitlines()[-1] == "plan: 1 teacher new, 3 baseline new, 3 control new, 15 student new"
    assert not (tmp_path / "outputs").exists()


def test_a_sweep_has_a_row_for_each_point_and_selects_on_validation(kdrun: Kdrun, tmp_path: Path) -> None:
    assert kdrun("sweep", *TOY, "tau=1,8", "seeds=[0,1]").code == 0
    comparison = pd.read_csv(_only(tmp_path.glob("outputs/reports/*/comparison.csv")))
    students = comparison[comparison["role"] == "student"]
    assert list(students["tau"]) == [1, 8]
    best = students.loc[students["validation_accuracy_mean"].idxmax()]
    assert list(students[students["selected"].astype(bool)]["tau"]) == [best["tau"]]


def test_alpha_0_is_the_baseline_itself(kdrun: Kdrun, tmp_path: Path) -> None:
    assert kdrun("distill", *TOY, "seeds=[0,1]", "alpha=0").code == 0
    assert "student" not in _kinds(tmp_path / "outputs")
    row = pd.read_csv(_only(tmp_path.glob("outputs/reports/*/comparison.csv"))).iloc[0]
    assert (row["gain_mean"], row["verdict"]) == (0, "not resolved")


def test_one_seed_gives_no_interval_and_says_so(kdrun: Kdrun) -> None:
    assert "no interval" in kdrun("distill", *TOY, "seeds=[0]").out


def test_train_teacher_says_how_good_it_is_and_distill_reuses_it(kdrun: Kdrun, tmp_path: Path) -> None:
    taught = kdrun("train-teacher", *TOY)
    assert "teacher mlp30 on blobs: test accuracy" in taught.out
    folder = _only((tmp_path / "outputs" / "runs").iterdir())
    stamp = (folder / "result.json").stat().st_mtime_ns
    kdrun("distill", *TOY, "seeds=[0]")
    assert (folder / "result.json").stat().st_mtime_ns == stamp


def test_the_teacher_keeps_the_whole_training_part(kdrun: Kdrun, tmp_path: Path) -> None:
    kdrun("distill", *TOY, "seeds=[0]", "train_size=40")
    results = pd.read_csv(tmp_path / "outputs" / "results.csv").set_index("kind")["train_examples"]
    assert (results["teacher"], results["student"], results["baseline"], results["control"]) == (180, 40, 40, 40)


def test_report_is_made_again_from_the_csv_files_alone(kdrun: Kdrun, tmp_path: Path) -> None:
    first = kdrun("distill", *TOY, "seeds=[0,1]")
    folder = _only((tmp_path / "outputs" / "reports").iterdir())
    kept = {
        "runs.csv",
        "report.json",
        "curves.csv",
        "confusion.csv",
        "reliability.csv",
        "classes.csv",
        "class_errors.csv",
    }
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    for path in folder.iterdir():
        if path.name not in kept:
            path.unlink()
    (tmp_path / "outputs" / "runs").rename(tmp_path / "gone")
    assert kdrun("report").out == first.out
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_report_opens_the_page_on_wish(kdrun: Kdrun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kdrun("distill", *TOY, "seeds=[0]")
    opened: list[str] = []
    monkeypatch.setattr("webbrowser.open", lambda uri: not opened.append(uri))
    assert kdrun("report").code == 0
    assert opened == []
    assert kdrun("report", "--open").code == 0
    assert opened == [_only(tmp_path.glob("outputs/reports/*/report.html")).as_uri()]
    monkeypatch.setattr("webbrowser.open", lambda uri: False)
    refused = kdrun("report", "--open")
    assert (refused.code, "no browser could be started; open outputs/reports/" in refused.err) == (2, True)


def test_a_damaged_row_is_named_in_the_terminal_too(kdrun: Kdrun, tmp_path: Path) -> None:
    kdrun("distill", *TOY, "seeds=[0,1]")
    path = _only(tmp_path.glob("outputs/reports/*/runs.csv"))
    path.write_text(path.read_text()[:-1])
    told = kdrun("report")
    assert told.code == 0
    assert "Missing: row 7 of runs.csv is left out: it was cut short." in " ".join(told.out.split())


def test_the_page_names_the_classes(kdrun: Kdrun, tmp_path: Path) -> None:
    kdrun("distill", *TOY, "seeds=[0,1]")
    page = _only(tmp_path.glob("outputs/reports/*/report.html")).read_text(encoding="utf-8")
    assert ">class 0</text>" in page
    assert "What is missing" not in page
    assert "torch " in page


def test_runs_lists_what_the_store_holds(kdrun: Kdrun, tmp_path: Path) -> None:
    kdrun("distill", *TOY, "seeds=[0]")
    _only(tmp_path.glob("outputs/runs/student-*/result.json")).write_text("{")
    listed = kdrun("runs").out
    assert listed.count("finished") == 3
    assert listed.count("damaged") == 1
    assert listed.splitlines()[-1] == "4 runs in outputs/runs"


def test_outputs_go_where_they_are_told(kdrun: Kdrun, tmp_path: Path) -> None:
    assert kdrun("train-teacher", *TOY, "outputs=else/where").code == 0
    assert len(list((tmp_path / "else" / "where" / "runs").iterdir())) == 1
    assert not (tmp_path / "outputs").exists()


def test_every_kind_of_knowledge_trains_from_the_command_line(kdrun: Kdrun, tmp_path: Path) -> None:
    chosen = "knowledge=[response/kd,relation/rkd]"
    assert kdrun("distill", *TOY, "seeds=[0]", chosen, "knowledge.rkd.weight=0.5").code == 0
    assert next(iter(pd.read_csv(_only(tmp_path.glob("outputs/reports/*/comparison.csv")))["knowledge"])) == "kd+rkd"


def test_progress_is_plain_lines_on_stderr_and_quiet_has_none(kdrun: Kdrun) -> None:
    told = kdrun("train-teacher", *TOY)
    assert "[1/1] teacher mlp30, seed 0: 3 epochs" in told.err
    assert kdrun("train-teacher", *TOY, "teacher_seed=1", "-q").err == ""


def test_a_saved_experiment_is_the_beginning_of_a_command(kdrun: Kdrun, tmp_path: Path) -> None:
    saved = tmp_path / "mine.yaml"
    saved.write_text("question: why?\ncommand: distill\noverrides: [tau=2, 'seeds=[0]', alpha=0.5]\n")
    shown = kdrun("distill", *TOY, "-e", str(saved), "tau=8", "--dry-run")
    assert "tau: 8.0" in shown.out
    assert "alpha: 0.5" in shown.out
    refused = kdrun("sweep", *TOY, "-e", str(saved))
    assert (refused.code, "use `kdrun distill -e" in refused.err) == (2, True)


def test_controls_made_from_the_teacher_stand_in_the_table_each_with_its_own_gain(kdrun: Kdrun, tmp_path: Path) -> None:
    controls = "controls=[label_smoothing,class_mean,teacher_argmax]"
    assert kdrun("distill", *TOY, "seeds=[0,1]", controls).code == 0
    comparison = pd.read_csv(_only(tmp_path.glob("outputs/reports/*/comparison.csv")))
    told = comparison[comparison["role"] == "control"].set_index("knowledge")["student_accuracy_mean"]
    assert list(told.index) == ["label_smoothing", "class_mean", "teacher_argmax"]
    student = comparison[comparison["role"] == "student"].iloc[0]
    for control, accuracy in told.items():
        gain = student["student_accuracy_mean"] - accuracy
        assert student[f"gain_over_{control}_mean"] == pytest.approx(gain)
    weights = {path.read_bytes() for path in tmp_path.glob("outputs/runs/control-*/weights.safetensors")}
    assert len(weights) == 6


def test_the_table_says_the_temperature_that_a_term_had(kdrun: Kdrun, tmp_path: Path) -> None:
    assert kdrun("distill", *TOY, "seeds=[0]", "knowledge.kd.tau=8").code == 0
    assert list(pd.read_csv(_only(tmp_path.glob("outputs/reports/*/runs.csv")))["tau"].dropna().unique()) == [8]


def test_a_term_without_a_temperature_is_given_none(kdrun: Kdrun, tmp_path: Path) -> None:
    assert kdrun("distill", *TOY, "seeds=[0]", "knowledge=response/logit_mse").code == 0
    assert pd.read_csv(_only(tmp_path.glob("outputs/reports/*/runs.csv")))["tau"].isna().all()
