"""Plans on the toy data, a store to carry them out in, and what they leave there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from calling import SUPPORT

from kdrun.config.compose import Composer
from kdrun.config.grid import expand
from kdrun.executors.lockstep import Lockstep
from kdrun.experiment.caching import Caching, Kind
from kdrun.experiment.lab import Lab
from kdrun.experiment.train import Interrupted, Rows
from kdrun.plans.build import comparison_plan
from kdrun.runs.spec import RunSpec
from kdrun.runs.store import Store
from kdrun.training.learner import Position

TOY = ("dataset=blobs", "train=toy", "teacher=mlp30", "student=mlp30", "seeds=[0]")
CONVOLUTIONAL = ("teacher=conv_m", "teacher.stem_stride=1", "student=conv_s", "student.stem_stride=1")


@cache
def _composer() -> Composer:
    return Composer([SUPPORT / "conf"])


def plan(*overrides: str) -> list[RunSpec]:
    """The runs of a sweep over the toy data; what is given replaces what TOY says of the same key."""
    given = {override.partition("=")[0] for override in overrides}
    kept = [override for override in TOY if override.partition("=")[0] not in given]
    points = expand([*kept, *overrides], _composer().groups)
    return comparison_plan([(_composer().config(point), "") for point in points]).runs


@dataclass
class Watching:
    """An observer that notes what it is told."""

    groups: list[list[RunSpec]] = field(default_factory=list)
    positions: list[Position] = field(default_factory=list)
    epochs: int = 0
    ended: list[RunSpec] = field(default_factory=list)
    lost: list[RunSpec] = field(default_factory=list)
    filled: list[tuple[int, int]] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)

    def started(self, specs: Sequence[RunSpec], epochs: int, done: Position) -> None:
        self.groups.append(list(specs))
        self.positions.append(done)

    def epoch(self, rows: Rows) -> None:
        self.epochs += 1

    def finished(self, spec: RunSpec, result: Mapping[str, Any]) -> None:
        self.ended.append(spec)

    def failed(self, spec: RunSpec, reason: str) -> None:
        self.lost.append(spec)

    def filling(self, done: int, total: int) -> None:
        self.filled.append((done, total))

    def remarked(self, line: str) -> None:
        self.remarks.append(line)


def lab_at(outputs: Path, caching: Caching | None = None) -> Lab:
    return Lab(Store(outputs), torch.device("cpu"), Path("data"), caching=caching or Caching())


def all_of(kind: Kind, specs: Sequence[RunSpec]) -> Caching:
    """The decision that teachers' signals reach all runs in this way."""
    return Caching({spec.fingerprint: kind for spec in specs}, max_bytes=10**9)


def lockstep(
    max_group: int = 100, memory_share: float = 1.0, state_every_s: float = 100.0, stack_up_to: int = 10**6
) -> Lockstep:
    return Lockstep(
        max_group=max_group, memory_share=memory_share, state_every_s=state_every_s, stack_up_to=stack_up_to
    )


def carry_out(specs: Sequence[RunSpec], outputs: Path, executor: Any = None, **given: Any) -> list[str]:
    """Carries out a plan; in lockstep, never stopped, unwatched and with live teachers unless said otherwise."""
    settings = {"observer": Watching(), "stop": lambda: False, "caching": None, **given}
    observer, lab = settings.pop("observer"), lab_at(outputs, settings.pop("caching"))
    failures: list[str] = (executor or lockstep()).execute(specs, lab, observer, **settings)
    return failures


def interrupted_after(steps: int, specs: Sequence[RunSpec], outputs: Path, **given: Any) -> None:
    """Carries out a plan until it was asked so many times whether to stop."""
    asked = iter(range(steps))
    with pytest.raises(Interrupted):
        carry_out(specs, outputs, stop=lambda: next(asked, None) is None, **given)


def weights_in(outputs: Path) -> dict[str, bytes]:
    return {path.parent.name: path.read_bytes() for path in outputs.glob("runs/*/weights.safetensors")}


def assert_same_runs(outputs: Path, others: Path) -> None:
    """The same bytes of weights and predictions, and the same epochs but for the time they took."""
    assert weights_in(outputs) == weights_in(others)
    for path in outputs.glob("runs/*/metrics.csv"):
        twin = others / path.relative_to(outputs)
        pd.testing.assert_frame_equal(_epochs(path), _epochs(twin), check_exact=True)
        assert path.with_name("predictions.csv").read_bytes() == twin.with_name("predictions.csv").read_bytes()


def _epochs(metrics: Path) -> pd.DataFrame:
    """None where nothing was trained."""
    return pd.read_csv(metrics).drop(columns="seconds") if metrics.read_text().strip() else pd.DataFrame()
