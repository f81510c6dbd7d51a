"""Which run teaches, when several networks or finished runs are asked for."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from stores import fill

from kdrun.config.compose import Composer
from kdrun.config.grid import one_point
from kdrun.errors import UserError
from kdrun.experiment.build import make
from kdrun.plans import Plan, PointLabels, Use
from kdrun.plans.assembled import with_offset
from kdrun.plans.build import comparison_plan, teacher_plan
from kdrun.plans.specs import Specs
from kdrun.runs.spec import RunSpec
from kdrun.runs.trust import Trust

DATASET: dict[str, Any] = {"name": "made_up", "content": {"sha256": "1"}, "split_seed": 0}
LABELS = PointLabels("", "", "", "", "", None, 0.0, 1.0, "", "", "", "")


def _specs(*overrides: str, outputs: Path = Path("outputs")) -> Specs:
    composer = Composer()
    config = composer.config(one_point(overrides, composer.groups, "distill"))
    return Specs(replace(config, outputs=str(outputs)), DATASET)


def _finish(outputs: Path, *specs: RunSpec) -> None:
    uses = tuple(Use(0, "teacher", "", 0, spec, None) for spec in specs)
    fill(outputs, Plan((LABELS,), uses), epochs=1, examples=10, class_names=("a", "b"))


def test_members_have_seeds_that_follow_each_other_and_the_first_is_the_single_teacher() -> None:
    ensemble = _specs("teacher.members=3", "teacher_seed=5").teacher()
    assert (
        [member.seed for member in ensemble.made_of] == [member.data_seed for member in ensemble.made_of] == [5, 6, 7]
    )
    assert ensemble.made_of[0] == _specs("teacher_seed=5").teacher()
    assert (ensemble.title, ensemble.is_trained) == ("teacher mlp300x3, tau 4, seed 5", False)


def test_an_arithmetic_mean_is_another_run_at_another_tau_and_a_geometric_one_is_not() -> None:
    def teacher(mean: str, tau: int) -> RunSpec:
        return _specs("teacher.members=2", f"teacher.mean={mean}", f"tau={tau}").teacher()

    assert teacher("arithmetic", 1) != teacher("arithmetic", 4)
    assert teacher("geometric", 1) == teacher("geometric", 4)
    assert teacher("geometric", 1).model["name"] == "mlp300x2_geometric"


def test_networks_that_are_listed_are_trained_as_teachers_are() -> None:
    specs = _specs("teachers=[mlp64,conv_m]", "teacher_train_size=50")
    ensemble = specs.teacher()
    assert ensemble.made_of == tuple(
        _specs(f"teacher={name}", "teacher_train_size=50").teacher() for name in ("mlp64", "conv_m")
    )
    assert (ensemble.model["name"], ensemble.train_size) == ("mlp64+conv_m", 50)


def test_the_only_one_that_is_listed_is_the_teacher() -> None:
    assert _specs("teachers=[mlp64]").teacher() == _specs("teacher=mlp64").teacher()


def test_finished_runs_of_any_kind_teach_and_what_the_best_informed_has_seen_is_told(tmp_path: Path) -> None:
    specs = _specs()
    student, pair = specs.student(0, specs.teacher()), _specs("teacher.members=2").teacher()
    _finish(tmp_path, student, pair)
    assert _specs(f"teachers=['{student.fingerprint}']", outputs=tmp_path).teacher() == student
    both = _specs(f"teachers=[{pair.run_id},{student.run_id[:-4]}]", outputs=tmp_path).teacher()
    assert both.made_of == (pair, student)
    assert (student.train_size, both.train_size) == (1000, None)


@pytest.mark.parametrize(
    ("listed", "message"),
    [
        ("mlp3000", "no run 'mlp3000' under {outputs}/runs; `kdrun runs` lists"),
        ("mlp3000", "what is there, or did you mean the network mlp300?"),
        ("715344875818", "715344875818 reads as a number; name a run by the whole of its id"),
        ("teacher", "'teacher' is the beginning of 2 runs"),
        ("mlp64,mlp64", "teachers names {mlp64} twice; name each once"),
        ("{mlp64},mlp64", "teachers names {mlp64} twice; name each once"),
        ("{elsewhere}", "is of other data (dataset.split_seed is 1, here 0), so it may have seen test images"),
    ],
)
def test_what_cannot_teach_is_refused_in_a_line(tmp_path: Path, listed: str, message: str) -> None:
    mlp64 = _specs("teacher=mlp64").teacher()
    elsewhere = replace(mlp64, dataset={**DATASET, "split_seed": 1})
    _finish(tmp_path, mlp64, elsewhere)
    names = {"outputs": tmp_path, "mlp64": mlp64.run_id, "elsewhere": elsewhere.run_id}
    with pytest.raises(UserError, match=re.escape(message.format(**names))) as refused:
        _specs(f"teachers=[{listed.format(**names)}]", outputs=tmp_path).teacher()
    assert "\n" not in refused.value.message


def test_a_run_that_is_not_finished_teaches_nobody(tmp_path: Path) -> None:
    teacher = _specs().teacher()
    _finish(tmp_path, teacher)
    (tmp_path / "runs" / teacher.run_id / "result.json").unlink()
    with pytest.raises(UserError, match="is not finished; type the command that began it again"):
        _specs(f"teachers=[{teacher.run_id}]", outputs=tmp_path).teacher()


def _listed(outputs: Path, run: RunSpec, *overrides: str) -> Plan:
    """The plan in which a finished run is listed as the teacher."""
    config = _specs(f"teachers=[{run.run_id}]", "controls=[]", *overrides, outputs=outputs).config
    return comparison_plan([(config, "")])


@pytest.fixture
def _made_up_data(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kdrun.plans.build.dataset_description", lambda *_: DATASET)


def _of_the_student_side() -> dict[str, RunSpec]:
    """By name, runs that begin as a student of seed 1 does."""
    specs = _specs("seeds=[1]", "dataset.omit=[3]")
    student, teacher = specs.student(1, specs.teacher()), specs.teacher()
    mutual = _specs("mode=online", "seeds=[1]")
    rows = list(make(mutual.config.mode["plan"]).rows(mutual))
    return {
        "baseline": specs.baseline(1),
        "control": specs.control(1, "label_smoothing", None),
        "student": student,
        "named otherwise": replace(specs.baseline(1), model={**specs.baseline(1).model, "name": "mine", "dropout": 0}),
        "offset": with_offset(student, teacher),
        "ensemble": specs.ensemble([teacher, specs.baseline(1)]),
        "peer 1": rows[0].learners[0].run,
        "peers": rows[-1].learners[0].run,
    }


@pytest.mark.usefixtures("_made_up_data")
@pytest.mark.parametrize("name", _of_the_student_side())
def test_a_run_does_not_teach_a_network_that_begins_as_it_did(tmp_path: Path, name: str) -> None:
    run = _of_the_student_side()[name]
    _finish(tmp_path, run)
    with pytest.raises(UserError) as refused:
        _listed(tmp_path, run, "seeds=[0,1]")
    assert refused.value.message == (
        f"teachers: {run.run_id} would teach a network that begins as it did (mlp64, seed 1); "
        "type seeds=[...] without 1, or name a run of another seed or network"
    )


@pytest.mark.usefixtures("_made_up_data")
@pytest.mark.parametrize(
    "overrides",
    [("seeds=[0,2]",), ("seeds=[1]", "student=mlp30"), ("seeds=[1]", "alpha=0")],
    ids=" ".join,
)
def test_a_run_teaches_networks_that_begin_otherwise(tmp_path: Path, overrides: tuple[str, ...]) -> None:
    run = _specs().baseline(1)
    _finish(tmp_path, run)
    assert _listed(tmp_path, run, *overrides).runs


@pytest.mark.usefixtures("_made_up_data")
@pytest.mark.parametrize("number", ["student.dropout=0.5", "student.max_norm=3"])
def test_numbers_that_leave_the_initial_weights_as_they_are_make_no_other_network(tmp_path: Path, number: str) -> None:
    run = _specs().baseline(1)
    _finish(tmp_path, run)
    with pytest.raises(UserError, match="begins as it did"):
        _listed(tmp_path, run, "seeds=[1]", number)


@pytest.mark.usefixtures("_made_up_data")
def test_the_second_peer_and_what_was_trained_as_a_teacher_begin_otherwise(tmp_path: Path) -> None:
    mutual = _specs("mode=online", "seeds=[1]")
    rows = list(make(mutual.config.mode["plan"]).rows(mutual))
    for run in (rows[1].learners[0].run, _specs("teacher=mlp64", "teacher_seed=1").teacher()):
        _finish(tmp_path, run)
        assert _listed(tmp_path, run, "seeds=[1]").runs


@pytest.mark.usefixtures("_made_up_data")
def test_train_teacher_has_no_students_that_could_begin_alike(tmp_path: Path) -> None:
    run = _specs().baseline(0)
    _finish(tmp_path, run)
    config = _specs(f"teachers=[{run.run_id}]", outputs=tmp_path).config
    assert teacher_plan([(config, "")]).runs == [run]


def test_a_listed_run_is_taken_with_its_data_where_they_are_now(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Trust, "check", lambda *_: None)  # the source is made up

    def at(folder: str) -> dict[str, Any]:
        return {**DATASET, "source": {"_target_": "mine.Photos", "folder": folder}, "places": {"folder": None}}

    before = replace(_specs(), dataset=at("old"))
    student = before.student(0, before.teacher())
    _finish(tmp_path, student)
    now = replace(_specs(f"teachers=[{student.run_id}]", "student=mlp30", outputs=tmp_path), dataset=at("new"))
    listed = now.teacher()
    assert listed == student
    assert [one.dataset["source"]["folder"] for one in (listed, listed.teacher)] == ["new", "new"]
