"""Run specs from configuration."""

from __future__ import annotations

import pytest

from kdrun.config.compose import Composer
from kdrun.config.grid import one_point
from kdrun.plans.specs import baseline_spec, control_spec, student_spec

DATASET = {"name": "made_up", "content": {}}


@pytest.mark.parametrize("control", ["class_mean", "teacher_argmax"])
@pytest.mark.parametrize(("alpha", "is_baseline"), [(0, True), (0.5, False)])
def test_a_control_that_never_looks_at_its_targets_is_the_baseline(
    control: str, alpha: float, is_baseline: bool
) -> None:
    composer = Composer()
    config = composer.config(one_point([f"controls=[{control}]", f"alpha={alpha}"], composer.groups, "distill"))
    same = control_spec(config, DATASET, 0, control) == baseline_spec(config, DATASET, 0)
    assert same is is_baseline


def test_a_runs_baseline_is_the_plans_baseline() -> None:
    composer = Composer()
    config = composer.config(one_point(["tau=8", "alpha=0.3", "data_seed=5"], composer.groups, "distill"))
    baseline = baseline_spec(config, DATASET, 3)
    assert student_spec(config, DATASET, 3).baseline == baseline
    assert control_spec(config, DATASET, 3, "label_smoothing").baseline == baseline
    assert (baseline.kind, baseline.parents, baseline.mode, baseline.terms) == ("baseline", (), None, {})
