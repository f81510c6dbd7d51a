"""What training commands print for programs, and what they pass on to trackers."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from calling import TOY, Kdrun

from kdrun.runs.folder import RunFolder


def _events(out: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in out.splitlines()]


def test_for_programs_stdout_is_json_lines_from_plan_to_report(kdrun: Kdrun, tmp_path: Path) -> None:
    done = kdrun("distill", *TOY, "seeds=[0]", "controls=[]", "--json")
    assert (done.code, done.err) == (0, "")
    events = _events(done.out)
    assert [event["event"] for event in events] == [
        "plan",
        *("started", "epoch", "epoch", "epoch", "finished"),
        *("started", "started", *["epoch"] * 6, "finished", "finished"),
        "report",
    ]
    assert events[0] == {"event": "plan", "runs": 3, "finished": 0, "to_train": 3, "cache": []}
    result = RunFolder(next(tmp_path.glob("outputs/runs/teacher-*"))).result()
    assert events[5] == {"event": "finished"} | result
    assert (tmp_path / str(events[-1]["folder"]) / "comparison.csv").is_file()
    again = _events(kdrun("distill", *TOY, "seeds=[0]", "controls=[]", "--json").out)
    assert [event["event"] for event in again] == ["plan", "report"]
    assert (again[0]["finished"], again[0]["to_train"]) == (3, 0)


def test_for_programs_a_teacher_is_named_by_its_folder(kdrun: Kdrun, tmp_path: Path) -> None:
    kdrun("train-teacher", *TOY, "-q")
    plan, report = _events(kdrun("train-teacher", *TOY, "--json").out)
    assert (plan["event"], plan["to_train"]) == ("plan", 0)
    assert (tmp_path / str(report["folder"]) / "result.json").is_file()


def test_for_programs_a_run_that_fails_and_those_that_cannot_begin_are_told(kdrun: Kdrun) -> None:
    broken = kdrun("distill", *TOY, "seeds=[0]", "controls=[]", "train.teacher.optimizer.lr=1e30", "--json")
    assert broken.code == 1
    failed = [event for event in _events(broken.out) if event["event"] == "failed"]
    assert ["teacher" in str(event["run_id"]) for event in failed] == [True, False]
    assert broken.err.count("\n") == 3


@pytest.mark.parametrize("other", ["--quiet", "--dry-run"])
def test_json_lines_stand_alone(kdrun: Kdrun, other: str) -> None:
    refused = kdrun("distill", *TOY, "--json", other)
    assert (refused.code, refused.out) == (2, "")
    assert refused.err == f"Error: --json and {other} exclude each other; leave one of them out\n"


def test_a_plan_that_is_begun_says_what_was_finished_before(kdrun: Kdrun) -> None:
    kdrun("train-teacher", *TOY, "-q")
    told = kdrun("distill", *TOY, "seeds=[0]", "controls=[]").err.splitlines()
    assert told[0] == "3 runs: 1 finished before, 2 to train"
    assert told[1] == "[2-3/3] 2 runs side by side: 3 epochs"


def test_a_tracker_whose_package_is_missing_is_refused_before_anything_is_computed(
    kdrun: Kdrun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "wandb", None)
    refused = kdrun("distill", *TOY, "tracker=wandb")
    assert refused.code == 2
    assert refused.err == "Error: tracker=wandb needs its package: pip install 'kdrun[wandb]', or say tracker=none\n"
    assert not (tmp_path / "outputs").exists()


def test_a_tracker_is_no_part_of_a_run(kdrun: Kdrun, monkeypatch: pytest.MonkeyPatch) -> None:
    planned = kdrun("distill", *TOY, "--dry-run").out.splitlines()[-10:]
    assert kdrun("distill", *TOY, "--dry-run", "tracker=mlflow").out.splitlines()[-10:] == planned
    swept = kdrun("sweep", *TOY, "tracker=none,mlflow")
    assert "tracker is not part of a run and cannot be swept" in swept.err
