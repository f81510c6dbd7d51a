"""Ensembles and assistants as teachers of real runs: whoever carries them out, and wherever they were cut off."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from carrying import (
    CONVOLUTIONAL,
    Watching,
    all_of,
    assert_same_runs,
    carry_out,
    lab_at,
    lockstep,
    plan,
    weights_in,
)

from kdrun.executors.processes import Processes
from kdrun.experiment.running import finished_network
from kdrun.experiment.train import Interrupted
from kdrun.runs.spec import RunSpec

CROWD = ("teacher.members=2", "controls=[]")
CHAIN = ("teacher=mlp64", *CROWD, "mode=assistant", "mode.path=[mlp64,mlp30]")


def _result(spec: RunSpec, outputs: Path) -> dict[str, Any]:
    return dict(json.loads((outputs / "runs" / spec.run_id / "result.json").read_text()))


def _nll(outputs: Path) -> dict[str, float]:
    return {path.parent.name: json.loads(path.read_text())["test_nll"] for path in outputs.glob("runs/*/result.json")}


def test_the_single_teacher_is_the_first_member_and_is_not_trained_again(tmp_path: Path) -> None:
    single, crowd, watching = plan("controls=[]"), plan(*CROWD), Watching()
    carry_out(single, tmp_path)
    carry_out(crowd, tmp_path, observer=watching)
    assert crowd[0] == single[0]
    assert [spec.title for spec in watching.ended] == [
        "teacher mlp30, seed 1",
        "teacher mlp30x2, tau 4, seed 0",
        "student mlp30 of mlp30x2, kd, tau 4, alpha 0.7, seed 0",
    ]


@pytest.mark.parametrize("mean", ["arithmetic", "geometric"])
def test_what_is_kept_of_an_ensemble_is_what_its_members_say_together(tmp_path: Path, mean: str) -> None:
    specs = plan(*CROWD, f"teacher.mean={mean}", *CONVOLUTIONAL)
    members, ensemble = specs[:2], specs[2]
    carry_out(specs[:3], tmp_path)
    lab = lab_at(tmp_path)
    images = next(iter(lab.data(ensemble.dataset).evaluate_on(lab.data(ensemble.dataset).splits.test))).inputs
    with torch.no_grad():
        probs = torch.stack([(finished_network(one, lab)(images).double() / 4).softmax(1) for one in members])
        said = (finished_network(ensemble, lab)(images) / 4).softmax(1)
    mean_probs = probs.mean(0) if mean == "arithmetic" else probs.log().mean(0).softmax(1)
    torch.testing.assert_close(said.double(), mean_probs, atol=1e-6, rtol=1e-5)
    result, parts = _result(ensemble, tmp_path), [_result(one, tmp_path) for one in members]
    assert result["parameters"] == sum(part["parameters"] for part in parts)
    assert result["flops"] >= sum(part["flops"] for part in parts)
    assert result["train_seconds"] == pytest.approx(sum(part["train_seconds"] for part in parts), abs=1e-3)
    assert weights_in(tmp_path)[ensemble.run_id] != weights_in(tmp_path)[members[0].run_id]


def test_its_students_are_the_same_however_it_reaches_them(tmp_path: Path) -> None:
    specs = plan(*CROWD, *CONVOLUTIONAL, "tau=1,8", "teacher.mean=geometric")
    for kind in ("live", "schedule", "table"):
        assert carry_out(specs, tmp_path / kind, caching=all_of(kind, specs)) == []
    assert_same_runs(tmp_path / "live", tmp_path / "schedule")
    assert _nll(tmp_path / "table") == pytest.approx(_nll(tmp_path / "live"), rel=1e-3)


def test_worker_processes_and_single_runs_leave_the_same_files(tmp_path: Path) -> None:
    specs = plan(*CHAIN)
    workers = Processes(workers=2, threads=1, max_group=100, memory_share=1.0, state_every_s=100.0, stack_up_to=0)
    carry_out(specs, tmp_path / "together")
    assert carry_out(specs, tmp_path / "workers", workers) == []
    carry_out(specs, tmp_path / "serial", lockstep(max_group=1))
    assert_same_runs(tmp_path / "together", tmp_path / "workers")
    assert_same_runs(tmp_path / "together", tmp_path / "serial")


def test_cut_off_again_and_again_a_plan_ends_with_the_same_files(tmp_path: Path) -> None:
    specs = plan(*CHAIN)
    carry_out(specs, tmp_path / "whole")
    cuts = 0
    while not _carried_out(specs, tmp_path / "cut", asked=11):
        cuts += 1
    assert cuts > len(specs)  # within members, between them, before the ensemble, within the assistants
    assert_same_runs(tmp_path / "cut", tmp_path / "whole")


def _carried_out(specs: list[RunSpec], outputs: Path, asked: int) -> bool:
    """Whether a plan came to its end before it was asked so many times whether to stop."""
    left = iter(range(asked))
    try:
        carry_out(specs, outputs, stop=lambda: next(left, None) is None)
    except Interrupted:
        return False
    return True


def test_half_precision_is_the_members_own(tmp_path: Path) -> None:
    specs = plan(*CROWD, "precision=bf16")
    assert carry_out(specs, tmp_path) == []
    assert {spec.precision for spec in specs} == {"bf16"}
    assert 0 < _result(specs[-1], tmp_path)["test_nll"] < 10
