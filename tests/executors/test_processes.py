"""Workers give the same results, and none of their deaths loses a run."""

from __future__ import annotations

import os
import signal
from multiprocessing import active_children
from pathlib import Path

import pytest
from carrying import Watching, assert_same_runs, carry_out, lab_at, plan

from kdrun.executors.processes import Processes
from kdrun.experiment.train import Interrupted, Rows


def _processes(workers: int = 2) -> Processes:
    return Processes(workers=workers, threads=1, max_group=100, memory_share=1.0, state_every_s=0.0, stack_up_to=10**6)


def test_workers_leave_the_files_of_one_process(tmp_path: Path) -> None:
    specs, watching = plan("seeds=[0,1]", "tau=1,8"), Watching()
    assert carry_out(specs, tmp_path / "several", _processes(), observer=watching) == []
    carry_out(specs, tmp_path / "one")
    assert_same_runs(tmp_path / "several", tmp_path / "one")
    assert sorted(spec.run_id for spec in watching.ended) == sorted(spec.run_id for spec in specs)
    assert not active_children()


class Killing(Watching):
    """Kills the workers whenever runs of a kind have ended an epoch, as often as it is told."""

    def __init__(self, kind: str, times: int) -> None:
        super().__init__()
        self.kind, self.times = kind, times

    def epoch(self, rows: Rows) -> None:
        if self.times and any(spec.kind == self.kind for spec in rows):
            self.times -= 1
            for process in active_children():
                os.kill(process.pid or 0, signal.SIGKILL)


def test_the_runs_of_a_killed_worker_are_taken_up_again(tmp_path: Path) -> None:
    specs = plan("train.student.epochs=20")
    carry_out(specs[:1], tmp_path / "killed")
    watching = Killing("student", times=1)
    assert carry_out(specs, tmp_path / "killed", _processes(workers=1), observer=watching) == []
    assert watching.groups == [specs[1:], *([spec] for spec in specs[1:])]
    carry_out(specs, tmp_path / "one")
    assert_same_runs(tmp_path / "killed", tmp_path / "one")


def test_a_run_whose_worker_is_killed_twice_is_reported(tmp_path: Path) -> None:
    specs = plan("train.teacher.epochs=50")
    watching = Killing("teacher", times=2)
    failures = carry_out(specs, tmp_path, _processes(workers=1), observer=watching)
    assert "its worker process was killed twice" in failures[0]
    assert "try executor.workers=1" in failures[0]
    assert failures[1:] == [f"{specs[-1].title}: not trained, because its teacher could not be"]
    assert watching.lost == [specs[0], specs[-1]]


def test_when_told_to_stop_the_workers_save(tmp_path: Path) -> None:
    specs, watching = plan("train.teacher.epochs=50"), Watching()
    with pytest.raises(Interrupted):
        carry_out(specs, tmp_path / "cut", _processes(), observer=watching, stop=lambda: watching.epochs > 1)
    assert not active_children()
    state = lab_at(tmp_path / "cut").store.folder(specs[0]).load_state()
    assert state is not None
    carry_out(specs, tmp_path / "cut")
    carry_out(specs, tmp_path / "one")
    assert_same_runs(tmp_path / "cut", tmp_path / "one")
