"""Which runs of a group are computed as one."""

from __future__ import annotations

from pathlib import Path

import pytest
from carrying import CONVOLUTIONAL, lab_at, plan

from kdrun.experiment.running import begin
from kdrun.experiment.stacks import steppers


def _sizes(tmp_path: Path, *overrides: str, stack_up_to: int = 10**6) -> list[int]:
    """How many runs each stepper of a group has, the largest first."""
    lab = lab_at(tmp_path)
    runs = [begin(spec, lab) for spec in plan(*overrides) if spec.kind != "teacher"]
    made = steppers(runs, stack_up_to=stack_up_to)
    learners = [learner for stepper in made for learner in stepper.learners]
    assert sorted(map(id, learners)) == sorted(id(run.learner) for run in runs)
    return sorted((len(stepper.learners) for stepper in made), reverse=True)


@pytest.mark.parametrize(
    ("overrides", "sizes"),
    [
        (("tau=1,2", "alpha=0.5,1"), [6]),  # with a baseline and a control
        (("data_seed=0", "seeds=[0,1]"), [6]),
        (("train.student.optimizer.lr=0.1,0.01",), [6]),
        (("knowledge=response/kd,response/dist,[response/kd,response/dkd]",), [5]),
        (("student.max_norm=1",), [3]),
        (("student=mlp30,mlp64",), [3, 3]),
        (("student=mlp", "student.widths=[8],[9]"), [3, 3]),
        (("knowledge=response/kd,relation/rkd",), [3, 1]),
        (("student.dropout=0.1",), [1, 1, 1]),
        (CONVOLUTIONAL, [1, 1, 1]),
    ],
    ids=str,
)
def test_runs_of_equal_networks_whose_losses_need_logits_alone_are_one(
    tmp_path: Path, overrides: tuple[str, ...], sizes: list[int]
) -> None:
    assert _sizes(tmp_path, *overrides) == sizes


@pytest.mark.parametrize(("stack_up_to", "sizes"), [(0, [1] * 4), (2163, [1] * 4), (2164, [4])])
def test_larger_networks_step_by_themselves(tmp_path: Path, stack_up_to: int, sizes: list[int]) -> None:
    assert 36 * 30 + 30 + 30 * 30 + 30 + 30 * 4 + 4 == 2164
    assert _sizes(tmp_path, "tau=1,2", stack_up_to=stack_up_to) == sizes
