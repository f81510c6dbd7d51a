"""Runs whose images are streamed leave the files of runs whose images are resident."""

from __future__ import annotations

import json
from collections.abc import Callable
from multiprocessing import active_children
from pathlib import Path
from typing import Any

import pytest
import torch
from carrying import Watching, assert_same_runs, lockstep, plan
from pictures import chosen, photos

from kdrun.data import Room
from kdrun.executors.processes import Processes
from kdrun.experiment.lab import Lab
from kdrun.experiment.train import Interrupted
from kdrun.runs.spec import RunSpec
from kdrun.runs.store import Store

RESIDENT, STREAMED, STREAMED_BY_PROCESSES = Room(1.0, 0), Room(1e-12, 0), Room(1e-12, 2)


@pytest.fixture
def specs(tmp_path: Path) -> list[RunSpec]:
    return plan(*chosen(photos(tmp_path / "photos")), "controls=[class_mean]")


def carry_out(
    specs: list[RunSpec], outputs: Path, room: Room, executor: Any = None, stop: Callable[[], bool] = lambda: False
) -> None:
    lab = Lab(Store(outputs), torch.device("cpu"), outputs, room=room)
    assert (executor or lockstep()).execute(specs, lab, Watching(), stop=stop) == []


def placements(outputs: Path) -> set[str]:
    return {json.loads(path.read_text())["data_placement"] for path in outputs.glob("runs/*/result.json")}


def test_streamed_runs_leave_the_files_of_resident_ones(tmp_path: Path, specs: list[RunSpec]) -> None:
    for name, room in (("resident", RESIDENT), ("streamed", STREAMED), ("by processes", STREAMED_BY_PROCESSES)):
        carry_out(specs, tmp_path / name, room)
    assert_same_runs(tmp_path / "streamed", tmp_path / "resident")
    assert_same_runs(tmp_path / "by processes", tmp_path / "resident")
    assert [placements(tmp_path / name) for name in ("resident", "streamed")] == [{"resident"}, {"streamed"}]
    assert active_children() == []


@pytest.mark.parametrize("steps", [1, 4])
def test_a_streamed_run_cut_off_within_an_epoch_goes_on_either_way(
    tmp_path: Path, specs: list[RunSpec], steps: int
) -> None:
    carry_out(specs, tmp_path / "whole", RESIDENT)
    for name, room in (("streamed", STREAMED_BY_PROCESSES), ("resident", RESIDENT)):
        asked = iter(range(steps))
        with pytest.raises(Interrupted):
            carry_out(specs, tmp_path / name, STREAMED_BY_PROCESSES, stop=lambda asked=asked: next(asked, None) is None)
        carry_out(specs, tmp_path / name, room)
        assert_same_runs(tmp_path / name, tmp_path / "whole")


def test_a_worker_process_streams_too(tmp_path: Path, specs: list[RunSpec]) -> None:
    worker = Processes(workers=1, threads=1, max_group=100, memory_share=1.0, stack_up_to=0, state_every_s=100.0)
    carry_out(specs, tmp_path / "worker", STREAMED_BY_PROCESSES, worker)
    carry_out(specs, tmp_path / "resident", RESIDENT)
    assert_same_runs(tmp_path / "worker", tmp_path / "resident")
    assert placements(tmp_path / "worker") == {"streamed"}
    assert active_children() == []
