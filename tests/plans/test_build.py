"""Which runs a command needs: what is one run however it is typed."""

from __future__ import annotations

from pathlib import Path

import pytest
from calling import SUPPORT

from kdrun.config.compose import Composer
from kdrun.config.grid import expand
from kdrun.plans import Plan
from kdrun.plans.build import comparison_plan


def _plan(*overrides: str) -> Plan:
    composer = Composer([SUPPORT / "conf"])
    given = {override.partition("=")[0] for override in overrides}
    few = [f"{key}={value}" for key, value in (("seeds", "[0]"), ("controls", "[]")) if key not in given]
    points = expand([*few, *overrides], composer.groups)
    return comparison_plan([(composer.config(point), "") for point in points])


@pytest.mark.parametrize(
    ("key", "values", "others"),
    [
        ("tau", ("4", "4.0"), ()),
        ("knowledge.kd.tau", ("4", "4.0"), ()),
        ("train.student.optimizer.weight_decay", ("0", "0.0", "-0.0"), ()),
        ("knowledge.kd.weight", ("1", "1.0"), ()),
        ("train_size", ("3500", "null"), ()),
        ("teacher_train_size", ("3500", "null"), ()),
        ("train_size", ("1100", "null"), ("dataset=digits",)),
        ("train_size", ("1348", "null"), ("dataset=digits", "dataset.test_size=0.25", "dataset.validation_size=0")),
    ],
)
def test_two_ways_to_type_one_thing_are_one_run(key: str, values: tuple[str, ...], others: tuple[str, ...]) -> None:
    plans = [_plan(*others, f"{key}={value}").runs for value in values]
    assert all(plan == plans[0] for plan in plans)
    assert plans[0] != _plan(*others, f"{key}=1000").runs


def test_fewer_examples_than_the_whole_training_part_are_another_run() -> None:
    assert [run.train_size for run in _plan("train_size=3499,null").runs] == [None, 3499, 3499, None, None]


def test_a_source_that_cannot_count_leaves_the_number_as_it_is_typed() -> None:
    plan = _plan("dataset=blobs", "teacher=mlp30", "student=mlp30", "train_size=180,null")  # 180 are the whole of it
    assert {run.train_size for run in plan.runs} == {None, 180}


def test_no_source_is_asked_for_a_size_that_nobody_typed(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> int:
        raise AssertionError("asked")

    monkeypatch.setattr("kdrun.plans.build.training_examples", refuse)
    assert _plan("dataset=digits").runs


@pytest.mark.parametrize(
    "overrides",
    [
        (),
        ("mode=assistant", "mode.path=[mlp64]"),
        ("mode=born_again", "mode.generations=2", "mode.ensemble=true"),
        ("mode=online",),
        ("mode=co_trained",),
        ("mode=ps_kd",),
        ("teacher.members=2", "controls=[teacher_argmax,label_smoothing]"),
        ("teacher.specialists=2",),
        ("alpha=0",),
    ],
    ids=" ".join,
)
def test_a_trained_run_without_knowledge_has_no_teacher(overrides: tuple[str, ...]) -> None:
    trained = [run for run in _plan(*overrides).runs if run.is_trained]
    assert all(run.teacher is None for run in trained if not run.terms)
    assert all(run.made_of == () for run in trained)


def test_an_offset_row_is_made_of_its_run_and_fitted_to_the_teacher() -> None:
    teacher, _, student, offset = _plan("dataset.omit=[3]").runs
    assert (offset.made_of, offset.teacher, offset.starts_from) == ((student,), teacher, None)
    assert (offset.parents, offset.calls_teacher) == ((student, teacher), False)


def test_the_plan_does_not_look_at_where_data_lie(tmp_path: Path) -> None:
    for name in ("one", "two"):
        for label in ("a", "b"):
            (tmp_path / name / label).mkdir(parents=True)
            (tmp_path / name / label / "0.png").write_bytes(label.encode())
    own = ("dataset=image_folder", "dataset.test_size=1", "dataset.validation_size=0")
    one, two = (_plan(*own, f"dataset.source.folder={tmp_path / name}").runs for name in ("one", "two"))
    assert one == two
    assert one[0].dataset["source"]["folder"] != two[0].dataset["source"]["folder"]
    larger = _plan(*own, f"dataset.source.folder={tmp_path / 'one'}", "dataset.source.image_size=16").runs
    assert not set(one) & set(larger)
