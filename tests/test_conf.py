"""Every file of conf/ makes what it names. (Models, data sets and knowledge have tests of their own beside theirs.)"""

from __future__ import annotations

from dataclasses import asdict

import pytest
import torch

from kdrun.config.compose import Composer
from kdrun.config.files import conf_dir, first_comment, groups
from kdrun.config.grid import one_point
from kdrun.config.schema import Config
from kdrun.errors import UserError
from kdrun.experiment.build import make, terms_of, update_of
from kdrun.signals import Pair, Signals


def _config(override: str) -> Config:
    composer = Composer()
    return composer.config(one_point([override], composer.groups, "distill"))


@pytest.mark.parametrize(("group", "option"), [(g, o) for g, names in groups().items() for o in names])
def test_every_file_says_in_a_comment_what_it_is(group: str, option: str) -> None:
    assert len(first_comment(group, option)) > 10


@pytest.mark.parametrize("option", groups()["train"])
@pytest.mark.parametrize("role", ["teacher", "student"])
def test_every_recipe_makes_its_optimiser_and_a_schedule_that_ends_in_time(option: str, role: str) -> None:
    recipe = asdict(getattr(_config(f"train={option}").train, role))
    parameter = torch.nn.Parameter(torch.zeros(2))
    optimizer, schedule = update_of(recipe, [parameter], steps_per_epoch=2)
    rates = []
    for _ in range(2 * recipe["epochs"]):
        rates.append(optimizer.param_groups[0]["lr"])
        parameter.grad = torch.ones(2)
        optimizer.step()
        schedule.step()
    assert max(rates) == pytest.approx(recipe["optimizer"]["lr"], rel=0.25)
    assert recipe["epochs"] == 1 or rates[-1] < max(rates) / 2


@pytest.mark.parametrize("option", groups()["controls"])
def test_every_control_is_a_run_that_can_be_described(option: str) -> None:
    control = _config(f"controls={option}").controls[option]
    signals = Signals(torch.zeros(2, 5, device="meta"))
    assert set(control) - {"label_weight"} == {"targets", "alpha", "knowledge"}
    assert terms_of(control["knowledge"], _pair(signals))


@pytest.mark.parametrize("option", groups()["executor"])
def test_every_executor_is_made_from_its_file(option: str) -> None:
    executor = make({key: value for key, value in _config(f"executor={option}").executor.items() if key != "name"})
    assert callable(executor.execute)


@pytest.mark.parametrize("option", groups()["tracker"])
def test_every_tracker_is_made_from_its_file_or_says_what_to_install(option: str) -> None:
    config = {key: value for key, value in _config(f"tracker={option}").tracker.items() if key != "name"}
    told = f"pip install 'kdrun[{option}]'"
    try:
        make(config).close()
    except UserError as missing:
        told = missing.message
    assert f"pip install 'kdrun[{option}]'" in told


def test_no_file_lies_where_no_group_finds_it() -> None:
    known = {*groups(), "model"}
    strays = [path for path in conf_dir().rglob("*.yaml") if path.parent != conf_dir()]
    assert {path.relative_to(conf_dir()).parts[0] for path in strays} == known - {"teacher", "student"}


def _pair(signals: Signals) -> Pair:
    return Pair(signals, signals, 5, 10)
