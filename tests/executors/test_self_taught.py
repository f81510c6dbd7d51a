"""Students that teach themselves: side by side, cut off or in processes, a run's files are the same."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from carrying import CONVOLUTIONAL, Watching, assert_same_runs, carry_out, interrupted_after, lab_at, lockstep, plan

from kdrun.executors.processes import Processes
from kdrun.experiment.running import begin, finished_network, mode_of
from kdrun.metrics.cost import parameters
from kdrun.training.stack import member

PLANS = {
    "ps_kd": ("mode=ps_kd", "alpha=0.5,0.9", "student=mlp", "student.dropout=0.3"),
    "byot": ("mode=byot", *CONVOLUTIONAL, "alpha=0.5,0.9"),
    "byot, perceptrons": ("mode=byot", "mode.hint=0", "student=mlp64", "alpha=0.5,0.9"),
    "born_again": ("mode=born_again", "mode.generations=2", "mode.ensemble=true", "tau=1,4", "controls=[class_mean]"),
}


@pytest.mark.parametrize("overrides", PLANS.values(), ids=PLANS.keys())
def test_side_by_side_they_leave_the_files_of_single_runs(tmp_path: Path, overrides: tuple[str, ...]) -> None:
    specs, watching = plan(*overrides), Watching()
    assert carry_out(specs, tmp_path / "together", observer=watching) == []
    assert carry_out(specs, tmp_path / "alone", lockstep(max_group=1)) == []
    assert max(map(len, watching.groups)) > 1
    assert_same_runs(tmp_path / "together", tmp_path / "alone")


@pytest.mark.parametrize("precision", ["fp32", "fp16", "bf16"])
@pytest.mark.parametrize("mode", ["ps_kd", "byot", "born_again"])
def test_cut_off_they_go_on_to_the_same_files(tmp_path: Path, mode: str, precision: str) -> None:
    specs = plan(*PLANS[mode], f"precision={precision}")
    assert carry_out(specs, tmp_path / "whole") == []
    for steps in (3, 8):  # in the first epoch, and in one that knows what was said before
        interrupted_after(steps, specs, tmp_path / "cut")
        assert list((tmp_path / "cut").glob("runs/*/state.pt"))
    assert carry_out(specs, tmp_path / "cut") == []
    assert_same_runs(tmp_path / "cut", tmp_path / "whole")


@pytest.mark.parametrize("mode", ["ps_kd", "byot"])
def test_they_ask_no_teacher_and_are_not_stacked(tmp_path: Path, mode: str) -> None:
    spec = plan(f"mode={mode}", "controls=[]", "student=mlp64")[-1]
    learner = begin(spec, lab_at(tmp_path)).learner
    assert (spec.parents, learner.mode.teacher_layers, member(learner)) == ((), None, None)


@pytest.mark.parametrize("mode", ["ps_kd", "byot"])
def test_what_is_kept_and_what_it_costs_are_the_plain_networks(tmp_path: Path, mode: str) -> None:
    baseline, student = plan(f"mode={mode}", "controls=[]", *CONVOLUTIONAL)
    assert carry_out([baseline, student], tmp_path) == []
    plain, kept = (lab_at(tmp_path).store.folder(spec) for spec in (baseline, student))
    assert list(kept.weights()) == list(plain.weights())
    assert all(kept.result()[key] == plain.result()[key] for key in ("parameters", "flops"))
    assert kept.result()["parameters"] == parameters(finished_network(student, lab_at(tmp_path)))


def test_heads_leave_the_students_initial_weights_as_they_are(tmp_path: Path) -> None:
    baseline, student = plan("mode=byot", "controls=[]", *CONVOLUTIONAL)
    states = [mode_of(spec, lab_at(tmp_path)).student.state_dict() for spec in (baseline, student)]
    assert all(torch.equal(value, states[1][name]) for name, value in states[0].items())


def test_the_ensemble_of_generations_says_the_mean_of_their_probabilities(tmp_path: Path) -> None:
    specs = plan("mode=born_again", "mode.generations=2", "mode.ensemble=true", "controls=[]")
    assert carry_out(specs, tmp_path) == []
    lab, inputs = lab_at(tmp_path), torch.randn(5, 1, 6, 6)
    said = {spec: finished_network(spec, lab).eval()(inputs).softmax(1) for spec in specs}
    *_, first, second, mean = said.values()
    assert torch.allclose(mean, (first + second) / 2, atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["ps_kd", "byot", "born_again"])
def test_in_processes_they_are_the_same(tmp_path: Path, mode: str) -> None:
    specs = plan(*PLANS[mode])
    processes = Processes(workers=2, threads=1, max_group=4, memory_share=1.0, state_every_s=1e9, stack_up_to=0)
    assert carry_out(specs, tmp_path / "processes", processes) == []
    assert carry_out(specs, tmp_path / "alone", lockstep(max_group=1)) == []
    assert_same_runs(tmp_path / "processes", tmp_path / "alone")
