"""A run that fails stays alone: the others of its group, of its worker and of its plan end as if it were not there."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from carrying import Watching, all_of, assert_same_runs, carry_out, lab_at, lockstep, plan, weights_in

from kdrun.executors.processes import Processes
from kdrun.experiment.several import Several
from kdrun.experiment.train import Interrupted, Rows
from kdrun.runs.spec import RunSpec
from kdrun.trackers.tracking import Tracking


def _processes(workers: int) -> Processes:
    return Processes(workers=workers, threads=1, max_group=100, memory_share=1.0, state_every_s=0.0, stack_up_to=10**6)


EXECUTORS = {
    "lockstep": lambda: lockstep(state_every_s=0.0),
    "serial": lambda: lockstep(max_group=1, stack_up_to=0),
    "processes": lambda: _processes(2),
}
KINDS = {  # of failure, and what the line has to say
    "build": r"RuntimeError: no such width \(\S*failing\.py:",
    "step": r"ValueError: bad width \(\S*failing\.py:",
    "validation": r"ValueError: bad pixels \(\S*failing\.py:",
    "test": r"ValueError: bad pixels \(\S*failing\.py:",
    "overflow": "validation_nll is not finite in epoch 1; stopped, ",
}
GOOD = ("student=failing", "controls=[]")


def _check_results(outputs: Path) -> None:
    """Every result is JSON, which has no nan."""

    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    for path in outputs.glob("runs/*/result.json"):
        json.loads(path.read_text(encoding="utf-8"), parse_constant=refuse)


def _by_run(specs: Sequence[RunSpec], lines: Sequence[str]) -> dict[RunSpec, str]:
    """The line of each run that failed, by its place: titles of runs may be the same."""
    assert len(specs) == len(lines)
    for spec, line in zip(specs, lines, strict=True):
        assert line.startswith(f"{spec.title}: ")
    return dict(zip(specs, lines, strict=True))


@pytest.mark.parametrize("executor", EXECUTORS.values(), ids=EXECUTORS.keys())
def test_runs_that_fail_each_in_its_own_way_leave_the_others_as_they_are(tmp_path: Path, executor: Any) -> None:
    specs, watching = plan(*GOOD, f"student.fails=never,{','.join(KINDS)}"), Watching()
    lines = carry_out(specs, tmp_path / "mixed", executor(), observer=watching)
    failed = _by_run(watching.lost, lines)
    assert len(failed) == 2 * len(KINDS)
    assert watching.remarks == []  # each is known at once, and no group is tried again
    for spec, line in failed.items():
        assert re.search(KINDS[spec.model["fails"]], line)
        folder = lab_at(tmp_path / "mixed").store.folder(spec)
        kept = folder.failure_path.read_text(encoding="utf-8")
        assert (kept.startswith(line), "Traceback" in kept, folder.is_finished) == (True, True, False)
    good = plan(*GOOD)
    assert sorted(spec.run_id for spec in watching.ended) == sorted(spec.run_id for spec in good)
    carry_out(good, tmp_path / "good")
    assert_same_runs(tmp_path / "good", tmp_path / "mixed")
    _check_results(tmp_path / "mixed")


STACKED = ("controls=[]", "knowledge=mine/failing", "knowledge.failing.at=0,8", "tau=1")


@pytest.mark.parametrize("state_every_s", [0.0, 100.0])
def test_the_one_of_a_stack_that_fails_is_found_by_halves(tmp_path: Path, state_every_s: float) -> None:
    specs, watching = plan(*STACKED, "alpha=0.5,1"), Watching()
    lines = carry_out(specs, tmp_path / "mixed", lockstep(state_every_s=state_every_s), observer=watching)
    failing = [spec for spec in specs if spec.terms and spec.terms["failing"]["at"]]
    assert watching.lost == failing
    assert all(re.search(r"ValueError: bad loss \(\S*failing\.py:", line) for line in lines)
    assert [len(group) for group in watching.groups[:3]] == [1, 5, 3]
    assert "one of 5 runs side by side failed, tried again in halves: ValueError: bad loss" in watching.remarks[0]
    assert (watching.positions[2] > (0, 0)) == (state_every_s == 0.0)
    good = [spec for spec in specs if spec not in failing]
    carry_out(good, tmp_path / "good")
    assert_same_runs(tmp_path / "good", tmp_path / "mixed")


class Book:
    """A tracker that refuses a row that it has."""

    def __init__(self) -> None:
        self.pages: dict[str, dict[int, Any]] = {}
        self.results: dict[str, Any] = {}

    def is_complete(self, spec: RunSpec) -> bool:
        return False

    def begin(self, spec: RunSpec, rows: Any) -> None:
        self.pages[spec.run_id] = dict(rows)

    def row(self, spec: RunSpec, epoch: int, numbers: Any) -> None:
        assert epoch not in self.pages[spec.run_id]
        self.pages[spec.run_id][epoch] = numbers

    def end(self, spec: RunSpec, numbers: Any) -> None:
        self.results[spec.run_id] = numbers

    def close(self) -> None: ...


def test_a_second_attempt_neither_loses_nor_doubles_a_row(tmp_path: Path) -> None:
    specs, book, warnings = plan(*STACKED), Book(), list[str]()
    store = lab_at(tmp_path).store
    with Tracking(book, store, [], warnings.append) as tracking:
        carry_out(specs, tmp_path, lockstep(state_every_s=0.0), observer=Several([Watching(), tracking]))
    assert warnings == []
    for spec in specs:
        rows = store.folder(spec).epochs()
        assert sorted(book.pages[spec.run_id]) == [int(row["epoch"]) for row in rows]
        assert [int(row["epoch"]) for row in rows] == list(range(1, len(rows) + 1))
        assert len(rows) == (3 if store.folder(spec).is_finished else 1)
        assert (book.results[spec.run_id] is None) == (not store.folder(spec).is_finished)


CROWD = ("student=failing", "student.fails=memory", "controls=[]", "tau=1,2,4,8")


@pytest.mark.parametrize(
    "executor", [lambda: lockstep(state_every_s=0.0), lambda: _processes(1)], ids=["one", "worker"]
)
def test_a_group_too_large_for_the_memory_goes_on_in_halves(tmp_path: Path, executor: Any) -> None:
    specs, watching = plan(*CROWD), Watching()
    assert carry_out(specs, tmp_path / "crowd", executor(), observer=watching) == []
    assert [len(group) for group in watching.groups] == [1, 5, 3, 2]
    assert watching.remarks == [
        "out of memory with 5 runs side by side: tried again in halves; executor.max_group=3 begins with fewer"
    ]
    assert carry_out(specs, tmp_path / "alone", lockstep(max_group=1)) == []
    assert_same_runs(tmp_path / "crowd", tmp_path / "alone")


def test_a_run_without_memory_even_for_itself_fails_with_what_to_try(tmp_path: Path) -> None:
    specs, watching = plan("student=failing", "student.fails=never,alone", "controls=[]"), Watching()
    lines = carry_out(specs, tmp_path / "mixed", observer=watching)
    assert [spec.model["fails"] for spec in watching.lost] == ["alone", "alone"]
    assert all(
        ": out of memory; try a smaller batch (train.student.batch_size=10) or fewer runs at once "
        "(executor.max_group=1, executor.workers=1); OutOfMemoryError: CUDA out of memory." in line
        for line in lines
    )
    carry_out(plan(*GOOD), tmp_path / "good")
    assert_same_runs(tmp_path / "good", tmp_path / "mixed")


def test_a_command_that_is_stopped_in_a_second_attempt_goes_on_to_the_same_bytes(tmp_path: Path) -> None:
    specs, watching = plan(*CROWD), Watching()
    asked = iter(range(6))
    with pytest.raises(Interrupted):
        carry_out(
            specs,
            tmp_path / "cut",
            lockstep(state_every_s=0.0),
            observer=watching,
            stop=lambda: len(watching.groups) == 3 and next(asked, None) is None,
        )
    assert len(weights_in(tmp_path / "cut")) == 1
    assert carry_out(specs, tmp_path / "cut", lockstep(max_group=2)) == []
    assert carry_out(specs, tmp_path / "whole", lockstep(max_group=1)) == []
    assert_same_runs(tmp_path / "cut", tmp_path / "whole")


@pytest.mark.parametrize("kind", ["live", "table", "schedule"])
def test_a_teacher_that_cannot_be_asked_fails_its_students_alone(tmp_path: Path, kind: Any) -> None:
    specs, watching = plan("teacher=failing", "teacher.fails=teaching", "controls=[]", "tau=1,2"), Watching()
    lines = carry_out(specs, tmp_path, observer=watching, caching=all_of(kind, specs))
    assert [spec.kind for spec in watching.lost] == ["student", "student"]
    assert all(re.search(r"ValueError: nothing to say \(\S*failing\.py:", line) for line in lines)
    assert [spec.kind for spec in watching.ended] == ["teacher", "baseline"]


@pytest.mark.parametrize(("dtype", "advice"), [("fp32", "choose another teacher"), ("fp16", "try cache.dtype=fp32")])
def test_a_teacher_whose_outputs_are_not_finite_is_named_as_the_cause(tmp_path: Path, dtype: str, advice: str) -> None:
    overrides = ("teacher=failing", "teacher.fails=nan_teaching", "controls=[]", f"cache.dtype={dtype}")
    watching = Watching()
    (line,) = carry_out(plan(*overrides), tmp_path, observer=watching)
    assert (
        "the loss is not finite at step 1 of epoch 1, because outputs of teacher failing, seed 0 (logits) are not "
        "finite for that batch; stopped, no state was saved yet; " + advice in line
    )
    assert [spec.kind for spec in watching.ended] == ["teacher", "baseline"]


@pytest.mark.parametrize(
    ("at", "what"),
    [
        (14, "the weights hidden.0.0.weight and 5 more are not finite at the end of epoch 3"),
        (12, "the loss is not finite at step 4 of epoch 3"),
    ],
    ids=["the last", "another"],
)
def test_an_update_that_makes_weights_infinite_fails_the_run_and_is_not_kept(
    tmp_path: Path, at: int, what: str
) -> None:
    specs = plan("train=explodes", f"train.student.schedule.at=-1,{at}", "controls=[]")
    watching = Watching()
    lines = carry_out(specs, tmp_path / "mixed", lockstep(state_every_s=0.0), observer=watching)
    assert [spec.recipe["schedule"]["at"] for spec in watching.lost] == [at, at]
    for spec, line in _by_run(watching.lost, lines).items():
        assert f": {what}; stopped, its last good state is in " in line
        assert line.endswith("; try a smaller learning rate")
        folder = lab_at(tmp_path / "mixed").store.folder(spec)
        stored = folder.load_state()
        assert stored is not None
        state, rows = stored
        assert (state["position"], len(rows), folder.is_finished) == ([2, at - 10], 2, False)
        assert all(value.isfinite().all() for value in state["learner"]["trained"].values())
    carry_out([spec for spec in specs if spec not in watching.lost], tmp_path / "good")
    assert_same_runs(tmp_path / "good", tmp_path / "mixed")


def test_what_an_observer_raises_ends_the_command_and_fails_no_run(tmp_path: Path) -> None:
    class Closed(Watching):
        def epoch(self, rows: Rows) -> None:
            raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        carry_out(plan(), tmp_path, observer=Closed())
    assert not list(tmp_path.glob("runs/*/failure.txt"))


def test_a_run_that_takes_the_device_with_it_costs_its_worker_and_no_other_run(tmp_path: Path) -> None:
    specs, watching = plan("student=failing", "student.fails=never,device", "controls=[]"), Watching()
    lines = carry_out(specs, tmp_path / "mixed", _processes(1), observer=watching)
    assert [spec.model["fails"] for spec in watching.lost] == ["device", "device"]
    assert all("AcceleratorError: CUDA error: device-side assert triggered" in line for line in lines)
    carry_out(plan(*GOOD), tmp_path / "good")
    assert_same_runs(tmp_path / "good", tmp_path / "mixed")
