"""kdrun's own loop: a real run, begun anew each time, stopped after exactly the steps that are timed."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from carrying import lockstep

from kdrun.bench.own import own_loop
from kdrun.bench.watch import Watch
from kdrun.errors import RunFailed, UserError
from kdrun.experiment.lab import Lab
from kdrun.experiment.running import finished_network
from kdrun.runs.spec import RunSpec
from kdrun.training.learner import Learner

Students = Callable[..., list[RunSpec]]


def test_as_many_steps_are_taken_as_are_timed_over_the_ends_of_epochs(students: Students, lab: Lab) -> None:
    (spec,) = students()  # three epochs of five steps
    for _ in range(2):
        own_loop([spec], lab, lockstep(), Watch(3, 8, lab.device))
        stored = lab.store.folder(spec).load_state()
        assert stored is not None
        assert stored[0]["position"] == [2, 1]


def test_a_whole_run_can_be_timed(students: Students, lab: Lab) -> None:
    (spec,) = students()
    watch = Watch(3, 12, lab.device)
    own_loop([spec], lab, lockstep(), watch)
    assert watch.step_time() is not None


def test_runs_train_side_by_side_or_are_refused(students: Students, lab: Lab) -> None:
    specs = students("tau=1,2,4")
    watch = Watch(1, 4, lab.device)
    own_loop(specs, lab, lockstep(), watch)
    assert watch.step_time() is not None
    with pytest.raises(UserError, match="2 of 3 runs trained side by side"):
        own_loop(specs, lab, lockstep(max_group=2), Watch(1, 4, lab.device))


def test_an_untrained_teacher_says_something_in_range(students: Students, lab: Lab) -> None:
    (spec,) = students("teacher=resnet20", "student=resnet8", "dataset.source.channels=3")
    teacher = finished_network(spec.teacher, lab).eval()
    data = lab.data(spec.dataset)
    logits = teacher(next(data.training_batches(spec).epoch(0)).inputs)
    assert 0.01 < logits.std() < 100
    assert torch.isfinite(logits).all()


def test_an_untrained_ensemble_stands_on_untrained_members(students: Students, lab: Lab) -> None:
    (spec,) = students("teacher.members=2")
    own_loop([spec], lab, lockstep(), Watch(1, 4, lab.device))
    members = [lab.store.folder(member) for member in spec.teacher.made_of]
    assert all(folder.is_finished for folder in (*members, lab.store.folder(spec.teacher)))


def test_a_run_that_fails_ends_the_bench_with_its_line(
    students: Students, lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise ValueError("no step today")

    monkeypatch.setattr(Learner, "step", refuse)
    with pytest.raises(RunFailed, match=r"student mlp30 .*: ValueError: no step today"):
        own_loop(students(), lab, lockstep(), Watch(1, 4, lab.device))
