"""Pictures of all points: gains over tau or in rows, gains over tau and alpha, accuracy against cost."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from pandas import DataFrame

from kdrun.reports import wording
from kdrun.reports.drawing import SERIES, new_figure
from kdrun.reports.gains import in_rows, over_tau
from kdrun.reports.page.against import accuracy_against
from kdrun.reports.page.grid import grid_figure
from kdrun.reports.page.pictures import WIDTH, Picture, picture
from kdrun.reports.wording import Row

COMPARISON = "comparison.csv"
SAME_BUT_TAU_AND_ALPHA = ("setting", "teacher", "knowledge", "mode")
INTERVALS = "Bars are 95 % paired t intervals over seeds; a hollow mark has none."
RING = " Ring: selected on validation."


def overview(comparison: DataFrame) -> list[Picture]:
    """The pictures that the points allow. Points that use the same runs are one.

    comparison: as `comparison.comparison` gives it.
    """
    rows = [row for row in wording.records(comparison) if math.isnan(row["same_as"])]
    students = [row for row in rows if row["role"] == "student"]
    controls = [row for row in rows if row["role"] == "control"]
    return [_gains(students, controls), *_grids(students), *_costs(students)]


def _gains(students: Sequence[Row], controls: Sequence[Row]) -> Picture:
    ring = RING if any(row["selected"] for row in students) else ""
    series = _over_tau(students)
    if series:
        figure, axes = new_figure(WIDTH, 3.6)
        over_tau(axes, series, controls, columns=2, name="gain, percentage points")
        caption = f"Gain in test accuracy over the hard-label baseline at each temperature. {INTERVALS}{ring}"
        return picture("gain", "Gain against tau", caption, COMPARISON, figure)
    figure, axes = new_figure(WIDTH, 1.2 + 0.3 * (len(students) + len(controls)))
    in_rows(axes, students, controls, letters=22)
    caption = f"Gain in test accuracy over the hard-label baseline at each point. {INTERVALS}{ring}"
    return picture("gain", "Gain at each point", caption, COMPARISON, figure)


def _over_tau(students: Sequence[Row]) -> Mapping[str, Sequence[Row]]:
    """The students by what they are but for tau; none where that makes no curves, or more than can be told apart."""
    series: dict[tuple[str, ...], list[Row]] = {}
    for row in students:
        series.setdefault(tuple(str(row[name]) for name in (*SAME_BUT_TAU_AND_ALPHA, "alpha")), []).append(row)
    curves = list(series.values())
    distinct = all(len({row["tau"] for row in curve}) == len(curve) > 1 for curve in curves)
    only_alpha = len({tuple(str(row[name]) for name in SAME_BUT_TAU_AND_ALPHA) for row in students}) == 1
    if not (distinct and only_alpha and len(curves) <= len(SERIES) and all(row["tau"] > 0 for row in students)):
        return {}
    several = len(curves) > 1
    return {f"{c[0]['knowledge']}{', alpha ' + format(c[0]['alpha'], 'g') if several else ''}": c for c in curves}


def _grids(students: Sequence[Row]) -> list[Picture]:
    """A picture for each kind of student of which both tau and alpha vary."""
    kinds: dict[tuple[str, ...], list[Row]] = {}
    for row in students:
        if not math.isnan(row["tau"]) and not math.isnan(row["gain_mean"]):
            kinds.setdefault(tuple(str(row[name]) for name in SAME_BUT_TAU_AND_ALPHA), []).append(row)
    grids = [kind for kind in kinds.values() if min(len({row[name] for row in kind}) for name in ("tau", "alpha")) > 1]
    pictures = []
    for number, kind in enumerate(grids, 1):
        told = f" of {kind[0]['knowledge']}, {kind[0]['student']} taught by {kind[0]['teacher']}"
        title = f"Gain by tau and alpha{wording.plain(told) if len(grids) > 1 else ''}"
        caption = "Gain over the baseline, points, and its 95 % interval. In brackets: not resolved, or one seed."
        frame = " Frame: selected on validation." if any(row["selected"] for row in kind) else ""
        pictures.append(picture(f"grid{number}", title, caption + frame, COMPARISON, grid_figure(kind)))
    return pictures


def _costs(students: Sequence[Row]) -> list[Picture]:
    """Accuracy against what a network costs, where that is known of student and teacher."""
    pictures = []
    spread = "Bars: standard deviation over seeds."
    sized = [row for row in students if row["student_parameters"] > 0]
    if sized:
        figure = accuracy_against("parameters", "parameters", sized)
        caption = f"Test accuracy of teacher, baseline and students of each size. {spread}"
        pictures.append(picture("parameters", "Accuracy against parameters", caption, COMPARISON, figure))
    timed = [row for row in students if row["student_latency_ms"] > 0]
    if timed:
        devices = wording.listed(list(dict.fromkeys(wording.plain(str(row["device"])) for row in timed)))
        figure = accuracy_against("latency_ms", "latency at batch 1, ms", timed)
        caption = f"Median time of a forward pass of one example on {devices}. {spread}"
        pictures.append(picture("latency", "Accuracy against latency", caption, COMPARISON, figure))
    return pictures
