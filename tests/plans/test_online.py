"""The runs and rows of networks that learn side by side."""

from __future__ import annotations

import pytest

from kdrun.config.compose import Composer
from kdrun.config.grid import one_point
from kdrun.errors import UserError
from kdrun.plans import Row
from kdrun.plans.online import CoTrained, Mutual
from kdrun.plans.specs import Specs

DATASET = {"name": "made_up", "content": {}}


def _specs(*overrides: str) -> Specs:
    composer = Composer()
    return Specs(composer.config(one_point(["seeds=[3,4]", *overrides], composer.groups, "distill")), DATASET)


def _mutual(*overrides: str) -> list[Row]:
    return list(Mutual().rows(_specs("mode=online", *overrides)))


def _co_trained(*overrides: str) -> Row:
    (row,) = CoTrained().rows(_specs("mode=co_trained", *overrides))
    return row


def test_without_named_peers_there_is_one_more_of_the_students_own_with_its_numbers() -> None:
    rows = _mutual("student.dropout=0.2")
    assert [row.variant for row in rows] == ["peer 1", "peer 2", "peers' ensemble"]
    one, two = rows[-1].learners[0].run.model["members"]
    assert one == two == dict(_specs("student.dropout=0.2").config.student)


def test_every_network_of_a_seed_comes_from_one_run_and_has_a_run_of_its_own() -> None:
    *peers, ensemble = _mutual("mode.peers=[mlp300,conv_s]")
    for place, learner in enumerate(ensemble.learners):
        cohort = learner.run
        assert (cohort.seed, cohort.kind, cohort.parents, cohort.teacher) == (3 + place, "student", (), None)
        assert cohort.model["name"] == "mlp64+mlp300+conv_s"
        own = [row.learners[place].run for row in peers]
        assert [run.model["name"] for run in own] == ["mlp64", "mlp300", "conv_s"]
        assert len({run.fingerprint for run in own}) == 3
        assert all(run.made_of == (cohort,) and not run.is_trained for run in own)


def test_each_hears_all_the_others_and_is_paired_with_the_baseline_of_its_own_architecture() -> None:
    rows = _mutual("mode.peers=[mlp300,mlp64]")
    mode = rows[-1].learners[0].run.mode
    assert mode is not None
    assert mode["hears"] == [[1, 2], [0, 2], [0, 1]]
    alone = _specs()
    expected = [alone.baseline(3), _specs("student=mlp300").baseline(3), alone.baseline(3), alone.baseline(3)]
    assert [row.learners[0].baseline for row in rows] == expected
    assert {learner.teacher for row in rows for learner in row.learners} == {None}


def test_a_co_trained_teacher_hears_nobody_and_is_the_rows_teacher() -> None:
    row = _co_trained()
    learner = row.learners[0]
    assert learner.teacher is not None
    (cohort,) = learner.run.made_of
    assert cohort.mode is not None
    assert cohort.mode["hears"] == [[1], []]
    assert [one["name"] for one in cohort.model["members"]] == ["mlp64", "mlp300"]
    assert (learner.teacher.kind, learner.teacher.model["name"], learner.teacher.made_of) == (
        "teacher",
        "mlp300",
        (cohort,),
    )
    assert learner.baseline == _specs().baseline(3)


def test_at_alpha_0_the_others_are_no_part_of_what_a_run_is() -> None:
    colder, warmer = (_mutual("alpha=0", f"tau={tau}")[0].learners[0].run for tau in (1, 8))
    assert colder == warmer


@pytest.mark.parametrize(
    ("overrides", "told"),
    [
        (
            ("mode=online", "alpha=1"),
            "mode=online: no network would see a label, because their weight is 0; type alpha=0.5",
        ),
        (("mode=co_trained", "teacher.members=3"), "trains no teacher beforehand; leave teacher.members out"),
        (("mode=co_trained", "teacher.specialists=3"), "trains no teacher beforehand; leave teacher.specialists out"),
    ],
)
def test_what_cannot_be_is_refused(overrides: tuple[str, ...], told: str) -> None:
    with pytest.raises(UserError, match=told):
        list((Mutual if "online" in overrides[0] else CoTrained)().rows(_specs(*overrides)))


def test_a_control_made_from_a_teacher_is_refused_where_there_is_none() -> None:
    specs = _specs("mode=online", "controls=[class_mean,label_smoothing]")
    assert specs.control(3, "label_smoothing", None).kind == "control"
    with pytest.raises(
        UserError, match=r"class_mean needs a teacher, and mode=online has none; .*=\[label_smoothing\]"
    ):
        specs.control(3, "class_mean", None)
