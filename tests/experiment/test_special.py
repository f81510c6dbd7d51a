"""Specialists and their committee on the toy data: the same files however they come about."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from carrying import Watching, all_of, assert_same_runs, carry_out, interrupted_after, lab_at, lockstep, plan

from kdrun.errors import UserError
from kdrun.executors.processes import Processes
from kdrun.experiment.running import finished_network
from kdrun.experiment.train import preflight
from kdrun.models.committee import Committee
from kdrun.runs.spec import RunSpec

ASKED = ("teacher.specialists=2", "controls=[]", "teacher.dropout=0.2")
STEPS = 3 * (180 // 20)  # of a toy teacher


def _named(specs: list[RunSpec], end: str) -> RunSpec:
    return next(spec for spec in specs if spec.model["name"].endswith(end))


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    outputs = tmp_path_factory.mktemp("whole")
    assert carry_out(plan(*ASKED), outputs) == []
    return outputs


def test_the_plan_has_students_of_the_generalist_and_of_the_committee() -> None:
    specs = plan(*ASKED)
    generalist, committee = specs[0], _named(specs, "+2specialists")
    assert generalist == plan("controls=[]", "teacher.dropout=0.2")[0]
    assert [spec.teacher for spec in specs if spec.kind == "student"] == [generalist, committee]
    assert committee.made_of == (generalist, *(_named(specs, f"specialist{n}of2") for n in (1, 2)))
    assert all(spec.teacher is None for spec in (committee, *committee.made_of))
    assert [spec.starts_from for spec in committee.made_of] == [None, generalist, generalist]


def test_two_generalists_specialists_are_told_apart_before_their_sets_are_known() -> None:
    examples = [
        _named(plan(*ASKED, f"train.teacher.optimizer.lr={rate}"), "specialist1of2").examples for rate in (0.01, 0.02)
    ]
    assert examples[0] != examples[1]


def test_the_sets_part_the_classes_and_are_written_down_by_name(whole: Path) -> None:
    specs, watching = plan(*ASKED), Watching()
    lab = lab_at(whole)
    committee = finished_network(_named(specs, "+2specialists"), lab)
    assert isinstance(committee, Committee)
    assert committee.sets.sum(0).tolist() == [1] * 4
    told = lab.store.folder(_named(specs, "+2specialists")).result()["special_classes"].split("; ")
    names = [[f"class {i}" for i in one.nonzero().flatten().tolist()] for one in committee.sets]
    assert told == [", ".join(one) for one in names]
    assert carry_out(specs, whole.with_name("again"), observer=watching) == []
    assert watching.remarks == [
        f"mlp30-specialist{n} is to know {classes}; all others are one class to it"
        for n, classes in zip(("1of2", "2of2"), told, strict=True)
    ]


def test_a_finished_committee_says_what_it_said_when_it_was_measured(whole: Path) -> None:
    spec = _named(plan(*ASKED), "+2specialists")
    lab = lab_at(whole)
    data, network = lab.data(spec.dataset), finished_network(spec, lab).eval()
    with torch.no_grad():
        predicted = torch.cat([network(batch.inputs).argmax(-1) for batch in data.evaluate_on(data.splits.test)])
    assert predicted.tolist() == lab.store.folder(spec).predictions().predicted.tolist()


def test_a_specialist_that_was_cut_off_goes_on_to_the_same_files(whole: Path, tmp_path: Path) -> None:
    specs = plan(*ASKED)
    carry_out(specs[:1], tmp_path)
    specialist = _named(specs, "specialist1of2")
    interrupted_after(STEPS - 5, [specialist], tmp_path)
    assert lab_at(tmp_path).store.folder(specialist).is_started
    carry_out(specs, tmp_path, lockstep(max_group=1))
    assert_same_runs(tmp_path, whole)


def test_workers_leave_the_same_files(whole: Path, tmp_path: Path) -> None:
    workers = Processes(workers=2, threads=1, max_group=100, memory_share=1.0, state_every_s=0.0, stack_up_to=10**6)
    assert carry_out(plan(*ASKED), tmp_path, workers) == []
    assert_same_runs(tmp_path, whole)


def test_a_committee_answers_from_a_table(whole: Path, tmp_path: Path) -> None:
    specs = plan(*ASKED)
    assert carry_out(specs, tmp_path, caching=all_of("table", specs)) == []
    tables = [json.loads(path.read_text())["teacher"] for path in tmp_path.glob("cache/*/about.json")]
    assert any("specialists" in teacher for teacher in tables)


def test_more_specialists_than_pairs_of_classes_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="at most half the classes, 2 of 4, got 3"):
        preflight(plan("teacher.specialists=3"), lab_at(tmp_path))


@pytest.mark.parametrize("other", ["teacher.members=2", "teachers=[mlp30,mlp64]"])
def test_specialists_advise_one_teacher(other: str) -> None:
    with pytest.raises(UserError, match=r"either teacher.specialists=2 or teacher"):
        plan("teacher.specialists=2", other)


@pytest.mark.parametrize("count", ["1", "-2", "2.5"])
def test_a_number_of_specialists_that_makes_no_sense_is_refused(count: str) -> None:
    with pytest.raises(UserError, match=r"teacher.specialists must be"):
        plan(f"teacher.specialists={count}")
