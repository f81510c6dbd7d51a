"""Specs of runs that train nothing: their networks are made of other runs'."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from kdrun.config.schema import MEANS
from kdrun.runs.spec import RunSpec


def assembled(
    like: RunSpec, model: Mapping[str, Any], made_of: Sequence[RunSpec], teacher: RunSpec | None = None
) -> RunSpec:
    """A run that trains nothing: `model` is the network that is made of those of other runs.

    like: a run with its role, seed and data, and with the recipe by whose batch size its latency is measured.
    teacher: the run to whose outputs the network is fitted.
    """
    recipe = {**like.recipe, "epochs": 0}
    return like.untaught(model=model, recipe=recipe, made_of=tuple(made_of), starts_from=None, teacher=teacher)


def averaged(like: RunSpec, members: Sequence[RunSpec], *, mean: str, tau: float) -> RunSpec:
    """The run that is the mean of finished networks. like: as of `assembled`. mean, tau: as of `Ensemble`."""
    model = {
        "name": joined([one.model["name"] for one in members]) + ("" if mean == MEANS[0] else f"_{mean}"),
        "_target_": "kdrun.models.ensemble.Ensemble",
        "mean": mean,
        **({"tau": tau} if mean == "arithmetic" else {}),
    }
    return assembled(like, model, members)


def joined(names: Sequence[str]) -> str:
    """What several networks are called together: `mlp300x5`, `mlp300x2+conv_m`."""
    counts = {name: names.count(name) for name in names}
    return "+".join(name if count == 1 else f"{name}x{count}" for name, count in counts.items())


def with_offset(run: RunSpec, teacher: RunSpec) -> RunSpec:
    """A finished network with a bias for each class that it was not shown, found without labels."""
    model = {
        "name": run.model["name"],
        "_target_": "kdrun.models.offset.Offset",
        "classes": run.examples["omit"],
    }
    return assembled(replace(run, kind="student"), model, [run], teacher)
