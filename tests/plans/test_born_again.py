"""Chains of students, each taught by the one before."""

from __future__ import annotations

import pytest

from kdrun.config.checks import GREATEST_SEED
from kdrun.config.compose import Composer
from kdrun.config.grid import one_point
from kdrun.errors import UserError
from kdrun.experiment.build import make
from kdrun.plans import Plan, Row
from kdrun.plans.born_again import initial_seed
from kdrun.plans.build import comparison_plan
from kdrun.plans.specs import Specs

DATASET = {"name": "made_up", "content": {}}


def _specs(*overrides: str) -> Specs:
    composer = Composer()
    seeds = () if any(one.startswith("seeds=") for one in overrides) else ("seeds=[4,5]",)
    own = ("mode=born_again", *seeds, *overrides)
    return Specs(composer.config(one_point(own, composer.groups, "distill")), DATASET)


def _rows(*overrides: str) -> list[Row]:
    specs = _specs(*overrides)
    return list(make(specs.config.mode["plan"]).rows(specs))


def _plan(*overrides: str) -> Plan:
    return comparison_plan([(_specs("dataset=digits", *overrides).config, "")])


def test_each_generation_is_taught_by_the_one_before_and_paired_with_its_seeds_baseline() -> None:
    rows, specs = _rows(), _specs()
    assert [row.variant for row in rows] == ["generation 1", "generation 2", "generation 3"]
    for place, seed in enumerate((4, 5)):
        before = specs.baseline(seed)
        for row in rows:
            learner = row.learners[place]
            assert (learner.seed, learner.baseline) == (seed, specs.baseline(seed))
            assert learner.teacher == before == learner.run.teacher
            before = learner.run


def test_a_generation_is_the_baseline_in_batches_and_architecture_but_not_in_initialisation() -> None:
    rows, baseline = _rows(), _specs().baseline(4)
    runs = [baseline, *(row.learners[0].run for row in rows)]
    assert {(run.data_seed, run.model["name"], run.train_size) for run in runs} == {(4, "mlp64", 1000)}
    assert [run.seed for run in runs] == [4, 1004, 2004, 3004]


def test_initial_seeds_stay_where_seeds_may_be() -> None:
    assert initial_seed(GREATEST_SEED, 3) == 2999
    assert initial_seed(GREATEST_SEED - 1000, 1) == GREATEST_SEED


def test_generations_may_hear_the_one_before_less_and_less() -> None:
    first = _rows("alpha=0", "alpha_schedule=linear", "alpha_schedule.start=0.9")[0].learners[0].run
    assert (first.kind, first.teacher) == ("student", _specs().baseline(4))


def test_an_ensemble_of_the_generations_is_a_row_of_assembled_students() -> None:
    *rows, mean = _rows("mode.ensemble=true", "mode.generations=2", "tau=9", "teacher.mean=geometric")
    assert mean.variant == "ensemble of generations 1 to 2"
    for place, learner in enumerate(mean.learners):
        run = learner.run
        assert run.made_of == tuple(row.learners[place].run for row in rows)
        assert (run.kind, run.seed, run.is_trained) == ("student", learner.seed, False)
        assert (run.model["mean"], run.model["tau"]) == ("arithmetic", 1.0)


def test_controls_stand_in_for_generation_0_in_every_row() -> None:
    plan = _plan("controls=[class_mean,label_smoothing]", "mode.ensemble=true")
    controls = {(use.control, use.seed, use.spec) for use in plan.uses if use.role == "control"}
    assert len(controls) == 4
    for name, seed, spec in controls:
        baseline = next(use.spec for use in plan.uses if use.role == "baseline" and use.seed == seed)
        assert spec.teacher == (baseline if name == "class_mean" else None)


def test_rows_name_their_teachers() -> None:
    labels = _plan("mode.ensemble=true").points
    assert [one.teacher for one in labels] == ["mlp64", "mlp64 of generation 1", "mlp64 of generation 2", "mlp64"]


def test_teachers_that_were_not_shown_a_class_either_mend_no_bias() -> None:
    variants = [one.variant for one in _plan("dataset.omit=[3]", "mode.ensemble=true").points]
    assert variants == ["generation 1", "generation 2", "generation 3", "ensemble of generations 1 to 3"]


@pytest.mark.parametrize(
    ("override", "told"),
    [
        ("alpha=0", "mode=born_again with alpha=0: no generation would learn from another"),
        ("mode.generations=0", "mode.generations must be at least 1, got 0"),
        ("mode.ensemble=true mode.generations=1", "mode.ensemble=true is a mean of generations"),
    ],
)
def test_what_makes_no_chain_is_refused(override: str, told: str) -> None:
    with pytest.raises(UserError, match=told):
        _rows(*override.split())


def test_seeds_whose_networks_would_begin_alike_are_refused() -> None:
    with pytest.raises(UserError) as refused:
        _rows("seeds=[1,2001]", "mode.generations=2")
    assert refused.value.message == (
        "mode=born_again: generation 0 of seed 2001 begins as generation 2 of seed 1 does, from seed 2001, because "
        "generations are 1000 apart; type seeds below 1000, such as seeds=[0, 1]"
    )
    assert _rows("seeds=[1,2001]", "mode.generations=1")


def test_generations_of_two_seeds_may_not_meet_either() -> None:
    with pytest.raises(UserError, match="generation 0 of seed 1000 begins as generation 1 of seed 0 does"):
        _rows("seeds=[0,1000]", "mode.generations=1", "mode.ensemble=false")
