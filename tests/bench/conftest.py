"""Runs of the toy data with an untrained teacher in a store of their own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from carrying import lab_at, plan

from kdrun.bench.own import put_untrained
from kdrun.experiment.lab import Lab
from kdrun.runs.spec import RunSpec


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    return lab_at(tmp_path / "bench")


@pytest.fixture
def students(lab: Lab) -> Callable[..., list[RunSpec]]:
    """The students of a sweep over the toy data, whose teacher stands in the lab's store."""

    def of(*overrides: str) -> list[RunSpec]:
        specs = [spec for spec in plan("dataset.validation_size=0", *overrides) if spec.kind == "student"]
        for parent in specs[0].parents:
            put_untrained(parent, lab)
        return specs

    return of
