"""Runs on the toy data, by their specs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from calling import TOY

from kdrun.cli.points import single
from kdrun.experiment.lab import Lab
from kdrun.plans.build import comparison_plan
from kdrun.runs.spec import RunSpec
from kdrun.runs.store import Store


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    return Lab(Store(tmp_path / "outputs"), torch.device("cpu"), tmp_path)


@pytest.fixture
def specs() -> Callable[..., dict[str, RunSpec]]:
    """The runs of `kdrun distill` on the toy data, one of each kind by its name."""

    def of(*overrides: str) -> dict[str, RunSpec]:
        own = ("dataset=blobs", "train=toy", "dataset.source.size=12", "seeds=[0]", *overrides)
        points = single("distill", overrides=own, experiment=None, config_dir=[Path(TOY[1])])
        return {spec.kind: spec for spec in comparison_plan(points).runs}

    return of
