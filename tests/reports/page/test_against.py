"""Accuracy against cost, as a picture."""

from __future__ import annotations

import pytest

from kdrun.reports.page.against import accuracy_against


@pytest.mark.parametrize("ratio", [1.0, 1.0 + 1e-9, 1.2, 50.0])
def test_networks_that_cost_nearly_the_same_have_an_axis_around_them(ratio: float) -> None:
    row = {
        "student_latency_ms": 0.1,
        "teacher_latency_ms": 0.1 * ratio,
        "teacher": "large",
        "student": "small",
        "setting": 0,
        "selected": False,
        **dict.fromkeys(("teacher_accuracy", "baseline_accuracy_mean", "student_accuracy_mean"), 0.9),
        **dict.fromkeys(("teacher_accuracy_std", "baseline_accuracy_std", "student_accuracy_std"), 0.01),
    }
    (axes,) = accuracy_against("latency_ms", "latency, ms", [row]).axes
    low, high = axes.get_xlim()
    assert low < 0.095
    assert high > 0.105 * ratio
