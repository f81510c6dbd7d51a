"""Teachers that are several networks, finished runs, and chains of assistants, as a user types them."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
from calling import TOY, Kdrun

CROWD = (*TOY, "seeds=[0,1]", "teacher.members=2")
CHAIN = (*TOY[:4], "teacher=mlp64", "student=mlp30", "seeds=[0]", "mode=assistant", "mode.path=[mlp64,mlp30]")


def _csv(tmp_path: Path, name: str) -> pd.DataFrame:
    (path,) = tmp_path.glob(f"outputs/reports/*/{name}")
    return pd.read_csv(path)


def test_the_ensembles_own_accuracy_and_cost_stand_in_the_table_and_the_files(kdrun: Kdrun, tmp_path: Path) -> None:
    ended = kdrun("distill", *CROWD)
    (folder,) = tmp_path.glob("outputs/runs/teacher-mlp30x2-*")
    result = json.loads((folder / "result.json").read_text())
    accuracy = result["test_accuracy"]
    assert f"teacher mlp30x2, trained on 180 examples: {100 * accuracy:.2f} %" in ended.out
    runs, compared = _csv(tmp_path, "runs.csv"), _csv(tmp_path, "comparison.csv").iloc[0]
    (teacher,) = runs[runs["role"] == "teacher"].to_dict("records")
    assert (teacher["run_id"], teacher["test_accuracy"]) == (folder.name, pytest.approx(accuracy))
    assert (compared["teacher"], compared["teacher_accuracy"]) == ("mlp30x2", pytest.approx(accuracy))
    assert compared["compression"] == pytest.approx(2.0)
    assert compared["teacher_flops"] == result["flops"]


def test_a_display_says_that_it_is_put_together_and_a_second_command_trains_nothing(kdrun: Kdrun) -> None:
    told = kdrun("train-teacher", *CROWD)
    assert "[3/3] teacher mlp30x2, tau 4, seed 0: put together from 2 runs" in told.err
    assert told.out.startswith("teacher mlp30x2 on blobs: test accuracy")
    again = kdrun("train-teacher", *CROWD)
    assert (again.out, again.err) == (told.out, "")


def test_a_dry_run_shows_members_and_ensemble_as_runs_and_each_network_once(kdrun: Kdrun) -> None:
    printed = kdrun("distill", *CROWD, "--dry-run").out
    rows = [line.split() for line in printed.splitlines()]
    assert next(row[:2] for row in rows if row[:1] == ["teacher"]) == ["teacher", "mlp30x2"]
    assert printed.count("memory of a training step") == 1
    for title in ("teacher mlp30, seed 0", "teacher mlp30, seed 1", "teacher mlp30x2, tau 4, seed 0"):
        assert f"\n{title} " in printed
    assert printed.splitlines()[-1].startswith("plan: 3 teacher new")


def test_a_finished_run_is_named_as_the_teacher(kdrun: Kdrun, tmp_path: Path) -> None:
    kdrun("distill", *TOY, "seeds=[0]", "controls=[]")
    (student,) = (path.name for path in tmp_path.glob("outputs/runs/student-*"))
    itself = kdrun("distill", *TOY, "seeds=[0]", "controls=[]", f"teachers=[{student}]")
    assert (itself.code, "begins as it did" in itself.err) == (2, True)
    ended = kdrun("distill", *TOY, "seeds=[1]", "controls=[]", f"teachers=[{student}]")
    assert ended.code == 0, ended.err
    assert "4 runs: 2 finished before, 2 to train" in ended.err
    assert "teacher mlp30, trained on 100 examples" in ended.out
    dry = kdrun("distill", *TOY, "seeds=[1]", "controls=[]", f"teachers=[{student},mlp64]", "--dry-run").out
    assert dry.count("memory of a training step") == 1
    other = kdrun("distill", *TOY, f"teachers=[{student}]", "dataset.validation_size=20")
    assert (other.code, len(other.err.splitlines())) == (2, 1)
    assert "is of other data (dataset.validation_size is 40, here 20)" in other.err


def test_a_sweep_over_teachers_shares_what_they_share(kdrun: Kdrun, tmp_path: Path) -> None:
    ended = kdrun("sweep", *TOY, "seeds=[0]", "teachers=[mlp30],[mlp30,mlp64]")
    assert ended.code == 0
    assert list(_csv(tmp_path, "comparison.csv")["teacher"].dropna()) == ["mlp30", "mlp30+mlp64"]
    assert len(list(tmp_path.glob("outputs/runs/teacher-*"))) == 3


def test_an_assistants_students_stand_beside_the_teachers_own(kdrun: Kdrun, tmp_path: Path) -> None:
    kdrun("distill", *CHAIN[:-2], "controls=[]")
    (offline,) = (path.name for path in tmp_path.glob("outputs/runs/student-*"))
    ended = kdrun("distill", *CHAIN, "controls=[class_mean]")
    assert ended.code == 0
    compared = _csv_of("assistant", tmp_path)
    students = compared[compared["role"] == "student"]
    assert list(students["variant"]) == ["direct", "via mlp64, mlp30"]
    assert list(students["teacher"]) == ["mlp64", "mlp30"]
    assert "8 runs: 3 finished before, 5 to train" in ended.err
    assert offline in {path.name for path in tmp_path.glob("outputs/runs/student-*")}
    for command in (("report",), ("runs",), ("explain", *TOY[:2], "--text")):
        assert kdrun(*command).code == 0


def _csv_of(mode: str, tmp_path: Path) -> pd.DataFrame:
    tables = [pd.read_csv(path) for path in tmp_path.glob("outputs/reports/*/comparison.csv")]
    (found,) = (table for table in tables if set(table["mode"]) == {mode})
    return found


def test_a_teacher_that_is_an_ensemble_or_was_taught_can_be_explained(kdrun: Kdrun, tmp_path: Path) -> None:
    kdrun("distill", *CHAIN, "controls=[]", "teacher.members=2")
    for name in ("teacher-mlp64x2-*", "teacher-mlp30-*"):
        (run,) = (path.name for path in tmp_path.glob(f"outputs/runs/{name}"))
        told = kdrun("explain", *TOY[:2], "--text", run)
        assert told.code == 0
        assert [line.split()[0] for line in told.out.splitlines()[:2]] == ["network", "teacher"]
        assert "baseline" not in told.out


FEATURES = (*TOY[:4], "dataset.source.size=12", "teacher=conv_m", "student=conv_s", "teacher.members=2")


@pytest.mark.parametrize("dry", [(), ("--dry-run",)])
def test_features_of_an_ensemble_are_refused_before_anything_trains(
    kdrun: Kdrun, tmp_path: Path, dry: tuple[str, ...]
) -> None:
    ended = kdrun("distill", *FEATURES, "knowledge=feature/fitnet", *dry)
    assert ended.code == 2
    assert ended.err == (
        "Error: the teacher gives logits only, as every ensemble does, and has no layer 'stage2'; "
        "use knowledge=response/kd or another of response/\n"
    )
    assert not (tmp_path / "outputs").exists()


@pytest.mark.parametrize("mode", ["online", "co_trained", "ps_kd", "byot", "born_again"])
@pytest.mark.parametrize("asked", ["teacher.members=2", "teacher.specialists=2", "teachers=[mlp30,mlp64]"])
def test_a_mode_without_a_trained_teacher_refuses_several(kdrun: Kdrun, mode: str, asked: str) -> None:
    refused = kdrun("distill", *TOY, f"mode={mode}", asked)
    assert (refused.code, refused.err.count("\n")) == (2, 1)
    assert f"mode={mode} trains no teacher beforehand; leave {asked.partition('=')[0]} out" in refused.err
