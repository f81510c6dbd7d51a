"""Accuracy of teacher, baseline and students against what the networks cost."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from kdrun.reports import wording
from kdrun.reports.drawing import BASELINE, INK, RING, STUDENT, TEACHER, as_text, axis_names, legend, new_figure
from kdrun.reports.page.pictures import WIDTH
from kdrun.reports.wording import Row

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LEAST_SPAN = 1.5  # of costs, the largest over the smallest: networks that cost the same need an axis, too

Point = tuple[float, float, float, str]  # cost, accuracy, its spread, name of the network


def accuracy_against(cost: str, name: str, rows: Sequence[Row]) -> Figure:
    """Test accuracy, percent, against a cost on a log axis.

    cost: the columns `student_<cost>` and `teacher_<cost>` of the comparison. name: of the axis.
    rows: students whose cost is known.
    """
    figure, axes = new_figure(WIDTH, 3.4)
    kinds = {
        "teacher": _distinct(rows, f"teacher_{cost}", "teacher_accuracy", "teacher_accuracy_std", "teacher"),
        "baseline": _distinct(rows, f"student_{cost}", "baseline_accuracy_mean", "baseline_accuracy_std", "setting"),
        "student": [_point(row, f"student_{cost}", "student_accuracy_mean", "student_accuracy_std") for row in rows],
    }
    for (kind, points), colour, mark in zip(kinds.items(), (TEACHER, BASELINE, STUDENT), "Dso", strict=True):
        if known := [point for point in points if point[0] > 0 and not math.isnan(point[1])]:
            _draw(axes, known, kind, colour, mark)
    for row in rows:
        if row["selected"]:
            axes.scatter([row[f"student_{cost}"]], [100 * row["student_accuracy_mean"]], **RING)
    _name(axes, [*kinds["teacher"], *kinds["baseline"]])
    axes.set_xscale("log")
    axes.margins(y=0.12)
    costs = sorted({cost for points in kinds.values() for cost, *_ in points if cost > 0})
    span = max(costs[-1] / costs[0], LEAST_SPAN)
    axes.set_xlim(costs[0] / span**0.25, costs[0] * span**1.25)
    ticks = _apart(costs, span)
    axes.set_xticks(ticks, [wording.scaled(cost).rstrip() if cost >= 1 else f"{cost:.2g}" for cost in ticks])
    axes.minorticks_off()
    axis_names(axes, name, "test accuracy, %")
    legend(axes, 3)
    return figure


def _distinct(rows: Sequence[Row], cost: str, accuracy: str, spread: str, key: str) -> list[Point]:
    found: dict[object, Point] = {}
    for row in rows:
        network = row["teacher"] if key == "teacher" else row["student"]
        found.setdefault((row[key], str(row[accuracy])), (row[cost], row[accuracy], row[spread], network))
    return list(found.values())


def _point(row: Row, cost: str, accuracy: str, spread: str) -> Point:
    return row[cost], row[accuracy], row[spread], ""


def _draw(axes: Axes, points: Sequence[Point], kind: str, colour: str, mark: str) -> None:
    spreads = [0.0 if math.isnan(std) else 100 * std for _, _, std, _ in points]
    axes.errorbar(
        [cost for cost, *_ in points],
        [100 * mean for _, mean, *_ in points],
        yerr=spreads,
        fmt=mark,
        color=colour,
        label=kind,
        markersize=6,
        elinewidth=1,
        capsize=2,
        alpha=0.85,
    )


def _name(axes: Axes, points: Sequence[Point]) -> None:
    for cost, mean, _, network in points:
        if cost > 0 and not math.isnan(mean):
            beside: dict[str, Any] = {"xytext": (7, -3), "textcoords": "offset points", "fontsize": 8, "color": INK}
            as_text(axes.annotate(wording.plain(network), (cost, 100 * mean), **beside))


def _apart(costs: Sequence[float], span: float) -> list[float]:
    """The costs whose names do not run into each other, on an axis that spans so large a ratio."""
    kept = [costs[0]]
    for value in costs[1:]:
        if math.log(value / kept[-1]) > math.log(span) / 5:
            kept.append(value)
    return kept
