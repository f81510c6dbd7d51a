"""Run specs from configuration."""

from __future__ import annotations

import pytest

from kdrun.config.compose import Composer
from kdrun.config.grid import one_point
from kdrun.errors import UserError
from kdrun.plans.specs import Specs
from kdrun.runs.spec import RunSpec

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


def _student(*overrides: str) -> RunSpec:
    composer = Composer()
    config = composer.config(one_point(overrides, composer.groups, "distill"))
    specs = Specs(config, DATASET)
    return specs.student(0, specs.teacher())


def test_schedules_are_part_of_the_identity_unless_they_are_constant() -> None:
    assert _student().schedules == {}
    linear = _student("alpha_schedule=linear", "tau_schedule=cosine", "tau_schedule.start=1")
    course = "kdrun.modes.courses"
    assert linear.schedules == {
        "alpha": {"name": "linear", "_target_": f"{course}.Linear", "start": 0.0},
        "tau": {"name": "cosine", "_target_": f"{course}.Cosine", "start": 1.0},
    }
    assert len({_student(), linear, _student("alpha_schedule=linear")}) == 3
    assert _student("alpha_schedule=linear", "alpha_schedule.start=0") == _student("alpha_schedule=linear")
    assert linear.title == "student mlp64 of mlp300, kd, tau 4 (cosine from 1), alpha 0.7 (linear from 0), seed 0"
    assert linear.baseline == _student().baseline


def test_a_schedule_of_tau_is_nothing_to_terms_without_one() -> None:
    assert _student("knowledge=response/logit_mse", "tau_schedule=linear").schedules == {}


def test_alpha_that_ends_at_0_makes_a_baseline_only_if_it_began_there() -> None:
    assert _student("alpha=0", "alpha_schedule=linear") == _student().baseline
    falling = _student("alpha=0", "alpha_schedule=linear", "alpha_schedule.start=1")
    assert (falling.kind, falling.teacher is not None) == ("student", True)


def _specs(*overrides: str) -> Specs:
    composer = Composer()
    return Specs(composer.config(one_point(list(overrides), composer.groups, "distill")), DATASET)


def test_what_students_are_shown_is_theirs_and_not_the_teachers() -> None:
    specs = _specs("dataset.omit=[3,1]", "transfer=both")
    teacher = specs.teacher()
    assert teacher == _specs().teacher()
    assert specs.student(0, teacher).examples == {"omit": ["1", "3"], "transfer": "both"}
    assert specs.control(0, "label_smoothing", teacher).examples == {"omit": ["1", "3"], "as_long_as": "both"}
    assert specs.baseline(0).examples == {"omit": ["1", "3"], "as_long_as": "both"}
    assert specs.student(0, teacher).baseline == specs.baseline(0)


def test_omitted_classes_are_the_same_however_they_are_typed() -> None:
    one, other = _specs("dataset.omit=[3,1,3]"), _specs("dataset.omit=['1','3']")
    assert one.baseline(0) == other.baseline(0)


def test_without_either_nothing_is_said_of_examples() -> None:
    specs = _specs("dataset.omit=[]", "transfer=labelled")
    assert specs.student(0, specs.teacher()) == _specs().student(0, _specs().teacher())
    assert specs.baseline(0).examples == {}


def test_a_baseline_is_the_same_whatever_its_students_teacher_is_rounded_to() -> None:
    specs = _specs("cache.dtype=fp16")
    assert specs.student(0, specs.teacher()).baseline == specs.baseline(0)


@pytest.mark.parametrize(
    ("typed", "remedy"),
    [
        ((), "type alpha=1"),
        (("alpha=1", "alpha_schedule=linear"), "alpha_schedule=constant"),
        (("knowledge=feature/fitnet",), "type label_weight=0"),
    ],
)
def test_no_label_at_all_needs_labels_of_weight_0(typed: tuple[str, ...], remedy: str) -> None:
    specs = _specs("transfer=unlabelled", *typed)
    with pytest.raises(UserError, match=f"gives the student no label, and its loss weighs labels; .*{remedy}"):
        specs.student(0, specs.teacher())


@pytest.mark.parametrize("typed", [("alpha=1",), ("knowledge=feature/simkd",), ("alpha=0.5", "label_weight=0")])
def test_no_label_is_needed_where_labels_have_no_weight(typed: tuple[str, ...]) -> None:
    specs = _specs("transfer=unlabelled", *typed)
    assert specs.student(0, specs.teacher()).examples == {"transfer": "unlabelled"}


def test_alpha_without_a_mixed_term_is_no_part_of_what_a_run_is() -> None:
    low, high = (
        _student("knowledge=feature/fitnet", f"alpha={alpha}", "alpha_schedule=linear") for alpha in (0.3, 0.7)
    )
    assert low == high
    assert (low.alpha, low.label_weight, low.schedules) == (None, 1.0, {})
    assert low.title == "student mlp64 of mlp300, fitnet, seed 0"


def test_the_weight_of_labels_stands_in_the_title_where_it_was_typed() -> None:
    both = _student("knowledge=[response/kd,relation/crd]", "alpha=1", "label_weight=1")
    assert (both.alpha, both.label_weight) == (1.0, 1.0)
    assert both.title == "student mlp64 of mlp300, kd+crd, tau 4, alpha 1, labels 1, seed 0"
    assert _student("alpha=0.5", "label_weight=0.5") == _student("alpha=0.5")


def test_examples_without_labels_need_a_teacher() -> None:
    with pytest.raises(UserError, match="transfer=both needs a teacher"):
        _specs("transfer=both").student(0, None)
