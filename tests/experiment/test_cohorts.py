"""Networks that learn side by side in one run: how they begin, what they leave, and that nothing disturbs them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from carrying import Watching, assert_same_runs, carry_out, interrupted_after, lab_at, lockstep, plan, weights_in

from kdrun.errors import UserError
from kdrun.executors.processes import Processes
from kdrun.experiment.describe import describe
from kdrun.experiment.memory import training_bytes
from kdrun.experiment.networks import parts_of
from kdrun.experiment.running import finished_network, mode_of
from kdrun.experiment.train import preflight
from kdrun.metrics.cost import parameters
from kdrun.modes import OneStudent
from kdrun.runs.spec import RunSpec

MUTUAL = ("mode=online", "tau=1", "alpha=0.5")
CONVOLUTIONAL = ("dataset.source.size=12", "student=conv_s")
SHORT = ("controls=[]", "train.student.epochs=2")
WAYS = {
    "alike": (*MUTUAL, "student=mlp", "student.dropout=0.3"),
    "three": (*MUTUAL, "mode.peers=[mlp64,mlp30]"),
    "with adapters": (*CONVOLUTIONAL, *MUTUAL, "mode.peers=[conv_s]", "knowledge=[response/kd,feature/fitnet]"),
    "with memories": (*CONVOLUTIONAL, *MUTUAL, "knowledge=relation/crd"),
    "fp16": (*MUTUAL, "precision=fp16"),
    "co-trained": ("mode=co_trained", "teacher=mlp64"),
}


def _cohort(specs: list[RunSpec]) -> RunSpec:
    return next(spec for spec in specs if "members" in spec.model)


def _peers(specs: list[RunSpec]) -> list[RunSpec]:
    return [spec for spec in specs if "peer" in spec.model]


def test_the_first_network_begins_as_the_student_alone_does(tmp_path: Path) -> None:
    specs, lab = plan(*MUTUAL, "knowledge=feature/fitnet", *CONVOLUTIONAL, "mode.peers=[conv_m]"), lab_at(tmp_path)
    cohort = mode_of(_cohort(specs), lab).student
    baseline = mode_of(next(spec for spec in specs if spec.kind == "baseline"), lab).student
    first = cohort.get_submodule("members.0").state_dict()
    assert all(torch.equal(value, first[name]) for name, value in baseline.state_dict().items())


def test_two_networks_of_one_architecture_begin_differently(tmp_path: Path) -> None:
    one, two = mode_of(_cohort(plan(*MUTUAL)), lab_at(tmp_path)).student.get_submodule("members").children()
    assert not torch.equal(next(one.parameters()), next(two.parameters()))


@pytest.mark.parametrize("overrides", WAYS.values(), ids=WAYS.keys())
def test_cut_off_they_go_on_to_the_same_files(tmp_path: Path, overrides: tuple[str, ...]) -> None:
    specs = plan(*overrides, *SHORT)
    cohort = [_cohort(specs)]
    carry_out(specs, tmp_path / "whole")
    interrupted_after(8, cohort, tmp_path / "cut")  # within the second epoch
    assert lab_at(tmp_path / "cut").store.folder(cohort[0]).is_started
    carry_out(specs, tmp_path / "cut")
    assert_same_runs(tmp_path / "cut", tmp_path / "whole")


@pytest.mark.parametrize("overrides", WAYS.values(), ids=WAYS.keys())
def test_beside_other_runs_they_leave_the_files_of_single_runs(tmp_path: Path, overrides: tuple[str, ...]) -> None:
    specs, watching = plan(*overrides, *SHORT, "data_seed=0", "seeds=[0,1]"), Watching()
    assert carry_out(specs, tmp_path / "together", observer=watching) == []
    assert sum("members" in spec.model for spec in watching.groups[0]) == 2
    assert "baseline" in {spec.kind for spec in watching.groups[0]}
    assert carry_out(specs, tmp_path / "alone", lockstep(max_group=1)) == []
    assert_same_runs(tmp_path / "together", tmp_path / "alone")


def test_workers_leave_the_same_files(tmp_path: Path) -> None:
    specs = plan(*WAYS["three"], *SHORT)
    workers = Processes(workers=2, threads=1, max_group=100, memory_share=1.0, state_every_s=0.0, stack_up_to=10**6)
    assert carry_out(specs, tmp_path / "several", workers) == []
    carry_out(specs, tmp_path / "one")
    assert_same_runs(tmp_path / "several", tmp_path / "one")


def test_a_network_that_hears_nobody_ends_as_the_baseline_does(tmp_path: Path) -> None:
    specs = plan("mode=online", "alpha=0", "student=mlp64", "controls=[]")
    carry_out(specs, tmp_path)
    lab = lab_at(tmp_path)
    baseline, peer = next(spec for spec in specs if spec.kind == "baseline"), _peers(specs)[0]
    ends = [lab.store.folder(spec).weights() for spec in (baseline, peer)]
    assert ends[0].keys() == ends[1].keys()
    assert all(torch.allclose(value, ends[1][name], atol=1e-6) for name, value in ends[0].items())


def test_a_control_is_made_from_what_a_co_trained_teacher_says(tmp_path: Path) -> None:
    specs = plan(*WAYS["co-trained"], "controls=[class_mean]")
    (control,) = [spec for spec in specs if spec.kind == "control"]
    assert control.teacher in _peers(specs)
    assert carry_out(specs, tmp_path) == []


def test_the_file_of_each_holds_its_plain_weights(tmp_path: Path) -> None:
    specs = plan(*WAYS["three"], "controls=[]")
    carry_out(specs, tmp_path)
    lab, whole = lab_at(tmp_path), lab_at(tmp_path).store.folder(_cohort(specs)).weights()
    for spec in _peers(specs):
        own = lab.store.folder(spec).weights()
        prefix = f"members.{spec.model['peer'] - 1}."
        assert own.keys() == {name.removeprefix(prefix) for name in whole if name.startswith(prefix)}
        assert all(torch.equal(value, whole[prefix + name]) for name, value in own.items())
        assert lab.store.folder(spec).result()["parameters"] == parameters(finished_network(spec, lab))
        assert lab.store.folder(spec).result()["epochs"] == 3
    assert len(weights_in(tmp_path)) == len(specs)


def test_what_a_term_needs_of_a_finished_teacher_is_refused_before_anything_trains(tmp_path: Path) -> None:
    specs = plan(*CONVOLUTIONAL, *MUTUAL, "knowledge=feature/simkd", "label_weight=1")
    with pytest.raises(UserError, match=r"simkd takes over .* mode=online has none; choose other knowledge"):
        preflight(specs, lab_at(tmp_path))


def test_all_networks_are_described_and_counted(tmp_path: Path) -> None:
    specs, lab = plan(*CONVOLUTIONAL, *MUTUAL, "mode.peers=[conv_m]", "knowledge=feature/fitnet"), lab_at(tmp_path)
    cohort = _cohort(specs)
    described = describe(cohort, lab.data(cohort.dataset))
    assert [(one.role, one.name) for one in described.networks] == [("student", "conv_s"), ("student", "conv_m")]
    sizes = [parameters(network) for network in mode_of(cohort, lab).student.get_submodule("members").children()]
    assert [one.parameters for one in described.networks] == sizes
    assert [term.name for term in described.terms] == ["fitnet (1 from 2)", "fitnet (2 from 1)"]
    assert all(adapter.source for term in described.terms for adapter in term.adapters)
    assert not isinstance(described.memory, str)
    assert described.memory.gradients > 4 * sum(sizes)  # adapters on top
    assert training_bytes(cohort, lab) == 3 * 4 * sum(sizes)  # the weights, and what AdamW remembers


def test_a_co_trained_teacher_is_described_as_one(tmp_path: Path) -> None:
    cohort = _cohort(plan(*WAYS["co-trained"]))
    described = describe(cohort, lab_at(tmp_path).data(cohort.dataset))
    assert [(one.role, one.name) for one in described.networks] == [("student", "mlp30"), ("teacher", "mlp64")]


def test_a_co_trained_teacher_learns_as_if_nobody_listened(tmp_path: Path) -> None:
    """Its gradients and its data are its own; what the student is taught changes nothing for it."""
    specs = plan(*WAYS["co-trained"], "tau=1,8", "controls=[]")
    carry_out(specs, tmp_path)
    store = lab_at(tmp_path).store
    ends = [store.folder(spec).weights() for spec in _peers(specs) if spec.kind == "teacher"]
    assert len(ends) == 2
    assert all(torch.equal(value, ends[1][name]) for name, value in ends[0].items())


def test_a_cohort_is_never_stacked(tmp_path: Path) -> None:
    assert not isinstance(mode_of(_cohort(plan(*MUTUAL)), lab_at(tmp_path)), OneStudent)


def test_adapters_leave_the_initial_weights_as_they_are(tmp_path: Path) -> None:
    lab = lab_at(tmp_path)
    plain = _cohort(plan(*CONVOLUTIONAL, *MUTUAL))
    adapted = replace(plain, terms=_cohort(plan(*CONVOLUTIONAL, *MUTUAL, "knowledge=feature/vid")).terms)
    states = [
        parts_of(spec, lab.data(spec.dataset), lab.device, lambda _: torch.nn.Identity()).network.state_dict()
        for spec in (plain, adapted)
    ]
    assert all(torch.equal(value, states[1][name]) for name, value in states[0].items())
