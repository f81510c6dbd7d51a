"""No teacher begins where a baseline, control or student begins, whatever seeds are typed."""

from __future__ import annotations

import pytest
import torch
from carrying import lab_at, plan

from kdrun.experiment.networks import parts_of
from kdrun.runs.spec import RunSpec
from kdrun.seeding import mix, seed_of_side


@pytest.mark.parametrize(
    "typed",
    [
        (),
        ("teacher_seed=1", "data_seed=1"),
        ("teacher.members=3", "teacher_seed=0"),
        ("teacher.specialists=2",),
        ("teachers=[mlp30,mlp64]",),
        ("mode=assistant", "mode.path=[mlp30,mlp64]"),
        ("mode=born_again", "mode.generations=2"),
    ],
)
def test_teachers_draw_other_numbers_than_the_runs_that_are_compared(typed: tuple[str, ...]) -> None:
    runs = [run for run in plan("seeds=[0,1,2]", "controls=[label_smoothing]", *typed) if run.is_trained]
    for seed in ("network_seed", "order_seed"):
        teachers, others = (
            {getattr(run, seed) for run in runs if (run.kind == "teacher") is side} for side in (True, False)
        )
        assert not teachers & others
    assert {run.order_seed for run in runs if run.kind == "baseline"} >= {
        run.order_seed for run in runs if run.kind == "control"
    }


def test_a_teacher_of_the_students_architecture_and_seed_has_other_weights(tmp_path) -> None:  # type: ignore[no-untyped-def]
    runs = {run.kind: run for run in plan("controls=[]")}
    assert runs["teacher"].model == runs["student"].model
    assert runs["teacher"].seed == runs["student"].seed
    lab = lab_at(tmp_path)

    def weights(spec: RunSpec) -> torch.Tensor:
        network = parts_of(spec, lab.data(spec.dataset), lab.device, lambda _: torch.nn.Module()).network
        return next(network.parameters()).detach()

    baseline, student, teacher = (weights(runs[kind]) for kind in ("baseline", "student", "teacher"))
    assert torch.equal(baseline, student)
    assert not torch.equal(teacher, student)


def test_a_teacher_sees_another_order_of_batches(tmp_path) -> None:  # type: ignore[no-untyped-def]
    runs = {run.kind: run for run in plan("controls=[]", "teacher_train_size=100")}
    data = lab_at(tmp_path).data(runs["student"].dataset)
    baseline, student, teacher = (
        next(data.training_batches(runs[kind]).epoch(0)).ids for kind in ("baseline", "student", "teacher")
    )
    assert torch.equal(baseline, student)
    assert not torch.equal(teacher, student)


def test_no_seed_that_can_be_typed_is_a_teachers() -> None:
    teachers = {seed_of_side("teacher", seed) for seed in (*range(20_000), 2**53)}
    assert len(teachers) == 20_001
    assert min(teachers) >= 2**62 > 2**53
    assert all(seed_of_side(kind, 7) == 7 for kind in ("baseline", "control", "student"))
    # What the generators take of a seed are its lower 32 bits.
    first = {mix(seed, 1) % 2**32 for seed in range(1000)}
    assert not first & {mix(seed_of_side("teacher", seed), 1) % 2**32 for seed in range(1000)}


def test_assistants_of_their_teachers_architecture_begin_elsewhere() -> None:
    chain = plan("mode=assistant", "teacher=mlp30", "mode.path=[mlp30,mlp30]", "controls=[]")
    teachers = [run for run in chain if run.kind == "teacher"]
    assert len(teachers) == 3
    for seed in ("network_seed", "order_seed"):
        assert len({getattr(run, seed) for run in teachers}) == 3
