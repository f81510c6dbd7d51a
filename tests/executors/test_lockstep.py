"""Side by side, one after the other, cut off or not: a run's files are the same."""

from __future__ import annotations

from pathlib import Path

import pytest
from carrying import (
    CONVOLUTIONAL,
    Watching,
    assert_same_runs,
    carry_out,
    interrupted_after,
    lab_at,
    lockstep,
    plan,
    weights_in,
)

from kdrun.executors.lockstep import Lockstep
from kdrun.experiment.running import finished_network
from kdrun.experiment.train import train
from kdrun.signals import Batch, Signals
from kdrun.teachers.network import NetworkTeacher
from kdrun.training.learner import Position

STEPS = 3 * (100 // 20)  # of a toy student

SWEEPS = {
    "tau and alpha": ("tau=1,8", "alpha=0.5,1"),
    "schedules of tau and alpha": ("alpha_schedule=constant,linear,cosine", "tau_schedule=linear"),
    "sgd": ("train=cifar_short", "train.student.epochs=2", "train.teacher.epochs=1", "tau=1,8"),
    "max-norm": ("student.max_norm=0.5", "tau=1,8"),
    "dropout": ("tau=1,8", "student=mlp", "student.dropout=0.3"),
    "knowledge": ("knowledge=response/kd,response/logit_mse,relation/rkd",),
    "a term with an adapter": (*CONVOLUTIONAL, "knowledge=response/kd,feature/fitnet,[response/kd,feature/vid]"),
    "a term with its own head": (*CONVOLUTIONAL, "knowledge=response/kd,feature/simkd", "alpha=1,0.5"),
    "seeds of initialisation": ("data_seed=0", "seeds=[0,1]", "train.student.optimizer.lr=0.01,0.003"),
    "architectures": ("student=mlp30,mlp64",),
    "bf16": ("precision=bf16", "tau=1,8"),
    "fp16": ("precision=fp16", "tau=1,8"),
}


@pytest.mark.parametrize("overrides", SWEEPS.values(), ids=SWEEPS.keys())
def test_runs_side_by_side_leave_the_files_of_single_runs(tmp_path: Path, overrides: tuple[str, ...]) -> None:
    specs, watching = plan(*overrides), Watching()
    assert carry_out(specs, tmp_path / "together", observer=watching) == []
    assert carry_out(specs, tmp_path / "alone", lockstep(max_group=1)) == []
    assert [len(group) for group in watching.groups] == [1, len(specs) - 1]
    assert len(weights_in(tmp_path / "together")) == len(specs)
    assert_same_runs(tmp_path / "together", tmp_path / "alone")


@pytest.mark.parametrize(("steps", "finished"), [(2, 0), (4, 0), (8, 0), (15, 0), (17, 2)])
@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_a_group_that_was_cut_off_goes_on_to_the_same_files(
    tmp_path: Path, steps: int, finished: int, precision: str
) -> None:
    specs = plan("tau=1,8", "student=mlp", "student.dropout=0.3", f"precision={precision}")
    carry_out(specs, tmp_path / "whole")
    carry_out(specs[:1], tmp_path / "cut")
    interrupted_after(steps, specs, tmp_path / "cut")
    assert len(list((tmp_path / "cut").glob("runs/*/state.pt"))) == len(specs) - 1 - finished
    carry_out(specs, tmp_path / "cut")
    assert_same_runs(tmp_path / "cut", tmp_path / "whole")


def test_schedules_go_on_where_they_were_cut_off(tmp_path: Path) -> None:
    specs = plan("alpha_schedule=linear", "tau_schedule=cosine,linear", "alpha=0", "alpha_schedule.start=1")
    carry_out(specs, tmp_path / "whole")
    carry_out(specs[:1], tmp_path / "cut")
    interrupted_after(8, specs, tmp_path / "cut")
    carry_out(specs, tmp_path / "cut")
    assert_same_runs(tmp_path / "cut", tmp_path / "whole")


@pytest.mark.parametrize(
    "after", [lockstep(), lockstep(max_group=1), lockstep(stack_up_to=0)], ids=["to stack", "to single", "to none"]
)
@pytest.mark.parametrize("before", [lockstep(), lockstep(stack_up_to=0)], ids=["from stack", "from none"])
def test_states_go_over_from_stacks_to_single_runs_and_back(tmp_path: Path, before: Lockstep, after: Lockstep) -> None:
    specs = plan("tau=1,8", "knowledge=response/kd,relation/rkd", "controls=[]")
    carry_out(specs, tmp_path / "whole")
    carry_out(specs[:1], tmp_path / "cut")
    interrupted_after(8, specs, tmp_path / "cut", executor=before)
    carry_out(specs, tmp_path / "cut", after)
    assert_same_runs(tmp_path / "cut", tmp_path / "whole")


def test_those_behind_catch_up_and_those_finished_are_left_alone(tmp_path: Path) -> None:
    specs = plan("tau=1,2,4,8", "student=mlp", "student.dropout=0.3")
    teacher, finished, begun, further, at_the_end, *fresh = specs
    carry_out(specs, tmp_path / "whole")
    cut = tmp_path / "cut"
    carry_out([teacher, finished], cut)
    interrupted_after(5, [begun], cut)
    interrupted_after(9, [further], cut)
    interrupted_after(STEPS, [at_the_end], cut)
    stamp = lab_at(cut).store.folder(finished).path.joinpath("result.json").stat().st_mtime_ns
    watching = Watching()
    carry_out(specs, cut, observer=watching)
    assert watching.groups == [[begun, further, at_the_end, *fresh]]
    assert watching.positions == [Position(0, 0)]
    assert lab_at(cut).store.folder(finished).path.joinpath("result.json").stat().st_mtime_ns == stamp
    assert_same_runs(cut, tmp_path / "whole")


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Batch]:
    """The batches that teachers are asked about."""
    batches: list[Batch] = []
    signals = NetworkTeacher.signals

    def counting(self: NetworkTeacher, batch: Batch) -> Signals:
        batches.append(batch)
        return signals(self, batch)

    monkeypatch.setattr(NetworkTeacher, "signals", counting)
    return batches


def test_the_teacher_is_asked_once_a_batch_for_the_whole_group(tmp_path: Path, asked: list[Batch]) -> None:
    carry_out(plan("tau=1,2,4,8"), tmp_path)
    assert len(asked) == STEPS


def test_those_that_catch_up_ask_for_the_batches_they_missed_only(tmp_path: Path, asked: list[Batch]) -> None:
    specs = plan("tau=1,2", "controls=[]")
    carry_out(specs[:2], tmp_path)
    interrupted_after(3, specs[2:3], tmp_path)
    interrupted_after(8, specs[3:4], tmp_path)
    before = len(asked)
    carry_out(specs, tmp_path)
    assert before == 4 + 9
    assert len(asked) == before + STEPS - 4


def test_without_students_no_teacher_is_asked(tmp_path: Path, asked: list[Batch]) -> None:
    carry_out([spec for spec in plan() if spec.kind != "student"], tmp_path)
    assert asked == []


def test_a_teacher_is_left_without_hooks(tmp_path: Path) -> None:
    specs = plan(*CONVOLUTIONAL, "knowledge=feature/fitnet")
    lab = lab_at(tmp_path)
    teacher = next(spec for spec in specs if spec.kind == "teacher")
    lockstep().execute([teacher], lab, Watching(), stop=lambda: False)
    network = finished_network(teacher, lab)  # while it is held here, nobody loads another
    lockstep().execute(specs, lab, Watching(), stop=lambda: False)
    assert finished_network(teacher, lab) is network
    assert not any(module._forward_hooks for module in network.modules())


def test_groups_are_no_larger_than_max_group(tmp_path: Path) -> None:
    specs, watching = plan("tau=1,2,4,8"), Watching()
    carry_out(specs, tmp_path, lockstep(max_group=4), observer=watching)
    assert [len(group) for group in watching.groups] == [1, 4, 2]
    assert watching.ended == specs


def test_a_loss_that_is_not_finite_stops_its_run_and_what_it_should_have_taught(tmp_path: Path) -> None:
    good, bad = plan("tau=1"), plan("tau=1", "train.teacher.optimizer.lr=1e30", "controls=[]")
    watching = Watching()
    failures = carry_out(list(dict.fromkeys([*bad, *good])), tmp_path, observer=watching)
    assert set(watching.ended) == {bad[1], *good}
    assert [spec.kind for spec in watching.lost] == ["teacher", "student"]
    assert "the loss is not finite" in failures[0]
    assert failures[1:] == [f"{bad[-1].title}: not trained, because its teacher could not be"]


def test_one_of_a_group_may_fail_and_the_others_end_as_they_would(tmp_path: Path) -> None:
    specs = plan("tau=1000", "knowledge.kd.weight=1,1e38")
    (failure,) = carry_out(specs, tmp_path / "mixed")
    assert failure.startswith(f"{specs[-1].title}: the loss is not finite")
    carry_out(specs[:-1], tmp_path / "good")
    assert_same_runs(tmp_path / "mixed", tmp_path / "good")


def test_runs_that_another_process_holds_are_left_to_it(tmp_path: Path) -> None:
    specs, watching = plan("tau=1,2"), Watching()
    lab = lab_at(tmp_path)
    held = specs[2]
    lock = lab.store.folder(held).lock()
    lock.acquire()

    def stop() -> bool:
        """The other process finishes its run as soon as the rest is done."""
        if len(watching.ended) == len(specs) - 1 and lock.is_locked:
            train([held], lab, Watching(), stop=lambda: False, state_every_s=100, stack_up_to=10**6)
            lock.release()
        return False

    carry_out(specs, tmp_path, observer=watching, stop=stop)
    assert watching.ended == [spec for spec in specs if spec is not held]
    assert len(weights_in(tmp_path)) == len(specs)
