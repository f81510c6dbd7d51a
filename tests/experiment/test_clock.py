"""When states are saved."""

from __future__ import annotations

import pytest

from kdrun.experiment import running
from kdrun.experiment.running import Clock


@pytest.mark.parametrize(("took", "due_after"), [(0.01, 2.0), (0.5, 25.0)])
def test_the_next_save_is_due_after_fifty_times_what_the_last_one_took(
    monkeypatch: pytest.MonkeyPatch, took: float, due_after: float
) -> None:
    now = [100.0]
    monkeypatch.setattr(running.time, "monotonic", lambda: now[0])
    clock = Clock(2.0)
    began, now[0] = now[0], now[0] + took
    clock.saved(began)
    saved = now[0]
    now[0] = saved + due_after - 0.1
    assert not clock.is_due()
    now[0] = saved + due_after
    assert clock.is_due()


def test_with_zero_seconds_a_save_is_always_due(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(running.time, "monotonic", lambda: now[0])
    clock = Clock(0.0)
    now[0] += 5.0
    clock.saved(100.0)
    assert clock.is_due()
