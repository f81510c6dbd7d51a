"""Overrides as typed: what a grid is, and what is refused."""

from __future__ import annotations

import pytest

from kdrun.config.grid import expand, one_point
from kdrun.errors import UserError

GROUPS = {"student": ["resnet14", "resnet20", "vgg8"], "knowledge": ["feature/fitnet", "response/kd"]}


def _texts(*overrides: str) -> list[list[str]]:
    return [[setting.text for setting in point] for point in expand(overrides, GROUPS)]


def test_no_overrides_are_one_point() -> None:
    assert _texts() == [[]]


def test_a_grid_is_the_product_of_the_values_in_the_order_typed() -> None:
    assert _texts("tau=1,2", "alpha=0.5,0.9") == [
        ["tau=1", "alpha=0.5"],
        ["tau=1", "alpha=0.9"],
        ["tau=2", "alpha=0.5"],
        ["tau=2", "alpha=0.9"],
    ]


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("tau=range(1,4)", ["tau=1", "tau=2", "tau=3"]),
        ("tau=choice(1,8)", ["tau=1", "tau=8"]),
        ("student=glob(resnet*)", ["student=resnet14", "student=resnet20"]),
        ("student=glob(*,exclude=resnet*)", ["student=vgg8"]),
        ("seeds=[0,1]", ["seeds=[0,1]"]),
        (
            "knowledge=response/kd,[response/kd,feature/fitnet]",
            ["knowledge=response/kd", "knowledge=[response/kd,feature/fitnet]"],
        ),
    ],
)
def test_hydras_sweep_grammar_is_understood(override: str, expected: list[str]) -> None:
    assert [text for (text,) in _texts(override)] == expected


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["tau"], "cannot read 'tau': an override is written key=value"),
        (["+x=1"], "+x=1: keys cannot be added with +"),
        (["~tau"], "~tau: keys cannot be removed"),
        (["hydra.run.dir=x"], "hydra.run.dir=x: kdrun does not take Hydra's own settings"),
        (["tau=1", "tau=2"], "tau is given more than once"),
        (["student=resnt20"], "unknown student 'resnt20'; did you mean student=resnet20?"),
        (["knowledge=kd"], "unknown knowledge 'kd'; did you mean knowledge=response/kd?"),
        (
            ["knowledge=[response/kd,fitnet]"],
            "unknown knowledge 'fitnet'; did you mean knowledge=feature/fitnet?",
        ),
        (["student@teacher=vgg8"], "write student=vgg8, without @"),
        (["student=glob(x*)"], "matches nothing"),
        (["tau=[1"], "cannot read 'tau=[1'"),
        (["outputs=a,b"], "outputs=a,b: outputs is not part of a run and cannot be swept; give it one value"),
        (["executor.max_group=1,2"], "executor.max_group is not part of a run and cannot be swept"),
        (["tau=1,2,1.0"], "tau=1,2,1.0 names 1.0 more than once; name each value once"),
        (["tau=range(0,1000000000)"], "the grid has 1,000,000,000 points, at most 10,000 are taken"),
        (["tau=range(0,200)", "alpha=range(0,1,0.01)"], "the grid has 20,000 points, at most 10,000 are taken"),
        (["tau=range(9,1)"], "tau=range(9,1) names no values; write it such as tau=range(1,9), which stops before 9"),
        (["tau=range(1,9,0)"], "tau=range(1,9,0) names no values"),
        (["tau=interval(1,9)"], "tau=interval(1,9): name the values, such as tau=1,2,4 or tau=range(1,9)"),
    ],
)
def test_what_cannot_be_taken_is_refused_in_one_line(overrides: list[str], message: str) -> None:
    with pytest.raises(UserError) as refused:
        expand(overrides, GROUPS)
    assert message in refused.value.message
    assert "\n" not in refused.value.message


def test_a_command_for_one_point_refuses_several_values_and_names_sweep() -> None:
    with pytest.raises(UserError, match=r"tau=1,2 names several values: use `kdrun sweep`, not `kdrun distill`"):
        one_point(["tau=1,2"], GROUPS, "distill")


def test_seeds_without_brackets_are_told_how_a_list_is_written() -> None:
    with pytest.raises(UserError, match=r"a list is written seeds=\[\.\.\.\]"):
        one_point(["seeds=0,1"], GROUPS, "distill")
