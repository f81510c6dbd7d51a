"""`kdrun bench startup` and `scaling`: they start kdrun dozens of times."""

from __future__ import annotations

import json

import pytest
from calling import SUPPORT, TOY, Kdrun

pytestmark = pytest.mark.slow


def test_startup_says_what_commands_cost_and_where_the_time_goes(kdrun: Kdrun, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    ended = kdrun("bench", "startup", "--rounds", "1", "--json", "--quiet")
    assert ended.code == 0, ended.err
    measured = json.loads(ended.out)
    seconds = {name: one["seconds"]["median"] for name, one in measured["commands"].items()}
    assert seconds["--help"] < seconds["a mistyped key"] < seconds["the same again"] < seconds["one-epoch distill"]
    assert measured["stages_s"]["imports"] > 0 < measured["stages_s"]["training"]
    assert measured["sweep_composes"] == 1


def test_scaling_runs_sweeps_that_grow(kdrun: Kdrun, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(SUPPORT), prepend=":")
    ended = kdrun("bench", "scaling", *TOY, "--points", "1", "--examples", "10", "--epochs", "1", "--json", "--quiet")
    assert ended.code == 0, ended.err
    runs = json.loads(ended.out)["runs"]
    assert len(runs) == 12
    assert all(run["students_s"] > 0 and run["peak_bytes"] > 2**20 for run in runs)
