"""The plan of teacher assistants."""

from __future__ import annotations

import pytest
from carrying import plan

from kdrun.config.compose import Composer
from kdrun.config.grid import one_point
from kdrun.errors import UserError
from kdrun.plans import Row
from kdrun.plans.assistant import Assistant
from kdrun.plans.offline import Offline
from kdrun.plans.specs import Specs

PATH = ("mode=assistant", "mode.path=[mlp64,mlp30]")


def _specs(*overrides: str) -> Specs:
    composer = Composer()
    return Specs(composer.config(one_point(overrides, composer.groups, "distill")), {"name": "made_up"})


def _rows(*overrides: str) -> list[Row]:
    return list(Assistant().rows(_specs(*overrides)))


def test_the_direct_row_is_offline_distillation() -> None:
    (offline,) = Offline().rows(_specs())
    direct, via = _rows(*PATH)
    assert direct.learners == offline.learners
    assert (direct.variant, via.variant) == ("direct", "via mlp64, mlp30")


def test_each_assistant_is_a_teacher_that_is_distilled_from_the_one_before_it() -> None:
    specs = _specs(*PATH, "tau=8", "alpha=0.5", "teacher_train_size=200")
    last = _rows(*PATH, "tau=8", "alpha=0.5", "teacher_train_size=200")[1].learners[0].teacher
    assert last is not None
    first = last.teacher
    assert [one.model["name"] for one in (first, last)] == ["mlp64", "mlp30"]
    assert first.teacher == specs.teacher()
    alike = specs.taught_by_labels(last.model, 0)
    for one, seed in ((first, 1000), (last, 2000)):
        assert (one.kind, one.recipe, one.train_size, one.seed) == ("teacher", alike.recipe, 200, seed)
        assert (one.alpha, one.tau, one.teacher) == (0.5, 8, *one.parents)
    student = _rows(*PATH)[1].learners[0].run
    assert (student.kind, student.train_size) == ("student", 1000)


def test_assistants_may_hear_their_teacher_less_and_less() -> None:
    direct, via = _rows(*PATH, "alpha=0", "alpha_schedule=linear", "alpha_schedule.start=0.9")
    assert direct.learners[0].run.kind == via.learners[0].run.kind == "student"


def test_a_chain_may_begin_at_an_ensemble() -> None:
    direct, via = _rows(*PATH[:1], "mode.path=[mlp64]", "teacher.members=2")
    assistant = via.learners[0].teacher
    assert assistant is not None
    assert assistant.teacher == direct.learners[0].teacher


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (("mode=assistant",), "mode.path is empty; name the assistants, the largest first, such as mode.path="),
        (("mode=assistant", "mode.path=[mlp6]"), "mode.path names no network with 'mlp6'; did you mean mlp64?"),
        (("mode=assistant", "mode.path=[x]"), "'x'; `kdrun options student` lists the networks"),
        ((*PATH, "alpha=0"), "mode=assistant with alpha=0: no network would learn from a teacher; type alpha above 0"),
    ],
)
def test_what_is_no_chain_is_refused_in_a_line(overrides: tuple[str, ...], message: str) -> None:
    with pytest.raises(UserError) as refused:
        _rows(*overrides)
    assert message in refused.value.message
    assert "\n" not in refused.value.message


def test_several_paths_share_the_teacher_the_direct_students_and_their_first_assistants() -> None:
    one, both = plan(PATH[0], "mode.path=[mlp64]"), plan(PATH[0], "mode.path=[mlp64],[mlp64,mlp30]")
    assert set(one) < set(both)
    assert len(both) == len(one) + 2  # an assistant and its student
