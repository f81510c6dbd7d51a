"""Run specs from configuration."""

from __future__ import annotations

import pytest

from kdrun.config.compose import Composer
from kdrun.config.grid import one_point
from kdrun.plans.specs import Specs

DATASET = {"name": "made_up", "content": {}}


@pytest.mark.parametrize("control", ["class_mean", "teacher_argmax"])
@pytest.mark.parametrize(("alpha", "is_baseline"), [(0, True), (0.5, False)])
def test_a_control_that_never_looks_at_its_targets_is_the_baseline(
    control: str, alpha: float, is_baseline: bool
) -> None:
    composer = Composer()
    config = composer.config(one_point([f"controls=[{control}]", f"alpha={alpha}"], composer.groups, "distill"))
    specs = Specs(config, DATASET)
    assert (specs.control(0, control, specs.teacher()) == specs.baseline(0)) is is_baseline


def test_a_runs_baseline_is_the_plans_baseline() -> None:
    composer = Composer()
    config = composer.config(one_point(["tau=8", "alpha=0.3", "data_seed=5"], composer.groups, "distill"))
    specs = Specs(config, DATASET)
    teacher, baseline = specs.teacher(), specs.baseline(3)
    assert specs.student(3, teacher).baseline == baseline
    assert specs.control(3, "label_smoothing", teacher).baseline == baseline
    assert (baseline.kind, baseline.parents, baseline.mode, baseline.terms) == ("baseline", (), None, {})
