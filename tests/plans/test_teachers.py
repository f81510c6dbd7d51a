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
from kdrun.plans import Plan, PointLabels, Use
from kdrun.plans.specs import Specs
from kdrun.runs.spec import RunSpec

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
