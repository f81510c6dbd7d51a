"""What a command says of runs that failed: a list at the end, exit code 1, and the table of what is finished."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from calling import TOY, Kdrun, Outcome

from kdrun.experiment import running

FAILING = ("distill", *TOY[:-1], "student=failing", "controls=[]")
SEED_1_FAILS = (*FAILING, "student.fails=build_1", "seeds=[0,1]")


def _events(ended: Outcome, name: str) -> list[dict[str, Any]]:
    return [event for event in map(json.loads, ended.out.splitlines()) if event["event"] == name]


def test_the_end_lists_every_run_that_failed_and_the_table_has_what_is_finished(kdrun: Kdrun, tmp_path: Path) -> None:
    ended = kdrun(*SEED_1_FAILS, "--quiet")
    assert ended.code == 1
    head, *lines = ended.err.splitlines()
    assert head == "Error: 2 runs failed:"
    for line, kind in zip(lines, ("baseline failing, seed 1", "student failing of mlp30, kd, "), strict=True):
        assert line.startswith(f"  {kind}")
        assert re.search(r": RuntimeError: no such width \(\S*failing\.py:", line)
        kept = tmp_path / line.rpartition("the traceback is in ")[2]
        assert "Traceback (most recent call last)" in kept.read_text(encoding="utf-8")
    assert "1 of 2 seeds finished" in ended.out
    assert len(list(tmp_path.glob("outputs/reports/*/runs.csv"))) == 1


def test_programs_get_an_event_for_each_run_that_failed(kdrun: Kdrun) -> None:
    ended = kdrun(*SEED_1_FAILS, "--json")
    assert ended.code == 1
    baseline, student = _events(ended, "failed")
    assert (baseline["title"], baseline["run_id"][:16]) == ("baseline failing, seed 1", "baseline-failing")
    assert re.search(r"RuntimeError: no such width \(\S*failing\.py:", student["reason"])
    assert len(_events(ended, "finished")) == 3
    assert len(_events(ended, "report")) == 1


def test_runs_are_listed_as_failed_until_they_are_finished(
    kdrun: Kdrun, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def refuse(*_: object) -> dict[str, float]:
        raise ValueError("no validation today")

    with monkeypatch.context() as broken:
        broken.setattr(running, "validation_of", refuse)
        ended = kdrun("distill", *TOY, "seeds=[0]", "controls=[]")
    assert ended.code == 1
    assert ended.err.count("ValueError: no validation today") == 4  # as they fail, and at the end
    assert "student mlp30 of mlp30, kd, tau 4, alpha 0.7, seed 0: not trained, because its teacher could not be" in (
        ended.err
    )
    assert kdrun("runs").out.count(" failed ") == 2
    assert kdrun("distill", *TOY, "seeds=[0]", "controls=[]").code == 0
    assert " failed " not in kdrun("runs").out
    assert not list(tmp_path.glob("outputs/runs/*/failure.txt"))


def test_a_teacher_that_fails_ends_train_teacher_with_its_line(kdrun: Kdrun) -> None:
    ended = kdrun("train-teacher", *TOY[:4], "teacher=failing", "teacher.fails=step")
    assert ended.code == 1
    assert re.search(r"Error: teacher failing, seed 0: ValueError: bad width \(\S*failing\.py:", ended.err)
    assert "Traceback" not in ended.err


@pytest.mark.parametrize("executor", ["lockstep", "serial", "processes"])
def test_a_step_that_raises_costs_its_own_runs_alone_on_a_real_data_set(
    kdrun: Kdrun, tmp_path: Path, executor: str
) -> None:
    command = ("sweep", *TOY[:2], "dataset=digits", "train=smoke", "teacher=mlp30", "seeds=[0]", "controls=[]")
    ended = kdrun(*command, "student=failing", "student.fails=never,step", f"executor={executor}", "--quiet")
    assert ended.code == 1
    assert ended.err.splitlines()[0] == "Error: 2 runs failed:"
    assert len(re.findall(r"ValueError: bad width \(\S*failing\.py:", ended.err)) == 2
    for path in tmp_path.glob("outputs/runs/*/result.json"):
        json.loads(path.read_text(encoding="utf-8"), parse_constant=lambda constant: pytest.fail(constant))
    assert len(list(tmp_path.glob("outputs/runs/*/result.json"))) == 3


def test_where_the_disk_is_full_the_command_ends_as_wrong_input_does(
    kdrun: Kdrun, monkeypatch: pytest.MonkeyPatch
) -> None:
    from kdrun.errors import UserError
    from kdrun.runs.folder import RunFolder

    def refuse(*_: object) -> None:
        raise UserError("the disk is full")

    monkeypatch.setattr(RunFolder, "save_state", refuse)
    ended = kdrun("distill", *TOY, "seeds=[0]", "executor.state_every_s=0")
    assert (ended.code, ended.err.splitlines()[-1]) == (2, "Error: the disk is full")
