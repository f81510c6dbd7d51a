"""Where the time of a step goes."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch

from kdrun.bench.breakdown import PARTS, breakdown
from kdrun.bench.watch import Watch
from kdrun.experiment.lab import Lab
from kdrun.models.mlp import Mlp
from kdrun.runs.spec import RunSpec

Students = Callable[..., list[RunSpec]]


def test_the_parts_add_up_to_the_step(students: Students, lab: Lab) -> None:
    (spec,) = students()
    watch = Watch(2, 10, lab.device)
    parts = breakdown(spec, lab, watch)
    taken = watch.step_time()
    assert taken is not None
    assert tuple(parts) == PARTS
    assert all(value > 0 for value in parts.values())
    assert sum(parts.values()) == pytest.approx(taken.wall)


@pytest.mark.parametrize(
    ("slow", "part"),
    [
        ((torch.optim.AdamW, "_init_group"), "optimiser"),
        ((torch.Tensor, "backward"), "backward"),
        ((torch.optim.lr_scheduler.OneCycleLR, "get_lr"), "rest"),
    ],
)
def test_what_is_slow_is_found(
    students: Students, lab: Lab, monkeypatch: pytest.MonkeyPatch, slow: tuple[type, str], part: str
) -> None:
    (spec,) = students()
    _slow_down(monkeypatch, *slow)
    parts = breakdown(spec, lab, Watch(2, 4, lab.device))
    assert max(parts, key=lambda name: parts[name]) == part


@pytest.mark.parametrize(("training", "part"), [(True, "student"), (False, "teacher")])
def test_a_slow_network_is_found(
    students: Students, lab: Lab, monkeypatch: pytest.MonkeyPatch, training: bool, part: str
) -> None:
    (spec,) = students()
    _slow_down(monkeypatch, Mlp, "forward", when=lambda network: network.training is training)
    parts = breakdown(spec, lab, Watch(2, 4, lab.device))
    assert max(parts, key=lambda name: parts[name]) == part


def test_without_a_teacher_nothing_is_spent_on_one(students: Students, lab: Lab) -> None:
    (spec,) = students()
    parts = breakdown(
        replace(spec, teacher=None, terms={}, alpha=None, label_weight=1.0, mode=None), lab, Watch(2, 4, lab.device)
    )
    assert parts["teacher"] == 0
    assert parts["student"] > 0


def _slow_down(
    monkeypatch: pytest.MonkeyPatch, owner: type, name: str, when: Callable[[object], bool] = lambda _: True
) -> None:
    plain = getattr(owner, name)

    def slow(self: object, *args: object, **kwargs: object) -> object:
        if when(self):
            time.sleep(0.02)
        return plain(self, *args, **kwargs)

    monkeypatch.setattr(owner, name, slow)
