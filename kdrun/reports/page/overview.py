"""Pictures of all points: gains over tau or in rows, gains over tau and alpha, accuracy against cost."""

from __future__ import annotations

import math
from collections.abc import Sequence

from pandas import DataFrame

from kdrun.reports import wording
from kdrun.reports.drawing import SERIES, new_figure
from kdrun.reports.gains import TAU, Across, in_rows, over
from kdrun.reports.page.against import accuracy_against
from kdrun.reports.page.grid import grid_figure
from kdrun.reports.page.pictures import WIDTH, Picture, picture
from kdrun.reports.swept import number, over_one_number
from kdrun.reports.wording import Row

COMPARISON = "comparison.csv"
GAIN = "gain, percentage points"
SAME_BUT_TAU_AND_ALPHA = ("setting", "teacher", "knowledge", "mode", "variant")
EACH_END = 12  # of more than twice as many points, those that gained most and those that gained least
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
    curves = _over_tau(students)
    if not curves:
        key = over_one_number(students)
        return _over(key, students, controls, ring) if key else _in_rows(students, controls, ring)
    shown, more = curves, ""
    if len(curves) > len(SERIES):
        shown = [next((curve for curve in curves if any(row["selected"] for row in curve)), curves[0])]
        more = " Every alpha is in the picture by tau and alpha."
    named = {_series_name(curve, many=len(curves) > 1): curve for curve in shown}
    figure, axes = new_figure(WIDTH, 3.6)
    over(TAU, axes, named, controls, columns=2, name=GAIN)
    caption = f"Gain in test accuracy over the hard-label baseline at each temperature. {INTERVALS}{ring}{more}"
    return picture("gain", "Gain against tau", caption, COMPARISON, figure)


def _over(key: str, students: Sequence[Row], controls: Sequence[Row], ring: str) -> Picture:
    figure, axes = new_figure(WIDTH, 3.6)
    across = Across(key, number, 10)
    over(across, axes, {students[0]["knowledge"]: students}, controls, columns=2, name=GAIN)
    axes.tick_params(axis="x", labelsize=8)
    name = wording.plain(key)
    caption = f"Gain in test accuracy over the hard-label baseline at each {name}. {INTERVALS}{ring}"
    return picture("gain", f"Gain against {name}", caption, COMPARISON, figure)


def _in_rows(students: Sequence[Row], controls: Sequence[Row], ring: str) -> Picture:
    shown, which = students, "at each point"
    if len(students) > 2 * EACH_END:
        known = [row for row in students if not math.isnan(row["gain_mean"])]
        falling = sorted(known, key=lambda row: -row["gain_mean"])
        shown = [*falling[:EACH_END], *falling[-EACH_END:]]
        which = f"at the {EACH_END} points of {len(students)} that gained most and the {EACH_END} that gained least"
    figure, axes = new_figure(WIDTH, 1.2 + 0.26 * (len(shown) + len(controls)))
    in_rows(axes, shown, controls, letters=31, name=GAIN)
    axes.tick_params(axis="y", labelsize=8)
    caption = f"Gain in test accuracy over the hard-label baseline {which}. {INTERVALS}{ring}"
    return picture("gain", "Gain at each point", caption, COMPARISON, figure)


def _over_tau(students: Sequence[Row]) -> list[list[Row]]:
    """The students by alpha; none where something else varies too, or a temperature stands alone."""
    same = len({tuple(str(row[name]) for name in SAME_BUT_TAU_AND_ALPHA) for row in students}) == 1
    by_alpha: dict[str, list[Row]] = {}
    for row in students:
        by_alpha.setdefault(str(row["alpha"]), []).append(row)
    curves = list(by_alpha.values())
    distinct = all(len({row["tau"] for row in curve}) == len(curve) > 1 for curve in curves)
    return curves if same and distinct and all(row["tau"] > 0 for row in students) else []


def _series_name(curve: Sequence[Row], many: bool) -> str:
    return f"{curve[0]['knowledge']}, alpha {curve[0]['alpha']:g}" if many else str(curve[0]["knowledge"])


def _grids(students: Sequence[Row]) -> list[Picture]:
    """A picture for each kind of student of which both tau and alpha vary."""
    kinds: dict[tuple[str, ...], list[Row]] = {}
    for row in students:
        if not any(math.isnan(row[name]) for name in ("tau", "alpha", "gain_mean")):
            kinds.setdefault(tuple(str(row[name]) for name in SAME_BUT_TAU_AND_ALPHA), []).append(row)
    grids = [kind for kind in kinds.values() if _vary(kind, "tau") and _vary(kind, "alpha") and _distinct(kind)]
    return [_grid(kind, number, alone=len(grids) == 1) for number, kind in enumerate(grids, 1)]


def _vary(rows: Sequence[Row], name: str) -> bool:
    return len({row[name] for row in rows}) > 1


def _distinct(rows: Sequence[Row]) -> bool:
    """Whether nothing but tau and alpha tells them apart."""
    return len({(row["tau"], row["alpha"]) for row in rows}) == len(rows)


def _grid(rows: Sequence[Row], number: int, alone: bool) -> Picture:
    figure, with_intervals = grid_figure(rows)
    first = rows[0]
    by = f" taught by {first['teacher']}" if first["teacher"] else ""
    named = f"{first['knowledge']}, {first['variant'] or first['student']}{by}"
    whose = "" if alone else f": {named}"
    interval = ", with its 95 % paired t interval" if with_intervals else ""
    caption = f"Gain over the baseline, points{interval}. In round brackets: not resolved, or no interval."
    caption += " Frame: selected on validation." if any(row["selected"] for row in rows) else ""
    return picture(f"grid{number}", f"Gain by tau and alpha{wording.plain(whose)}", caption, COMPARISON, figure)


def _costs(students: Sequence[Row]) -> list[Picture]:
    """Accuracy against what a network costs, where that is known; latencies of one device only."""
    pictures = []
    spread = "Bars: standard deviation over seeds."
    sized = [row for row in students if row["student_parameters"] > 0]
    if sized:
        figure = accuracy_against("parameters", "parameters", sized)
        teacher = "teacher, " if any(row["teacher"] for row in sized) else ""
        caption = f"Test accuracy of {teacher}baseline and students of each size. {spread}"
        pictures.append(picture("parameters", "Accuracy against parameters", caption, COMPARISON, figure))
    # Known where the teacher's device is the student's; where there is no teacher, all of one device compare.
    timed = [row for row in students if row["speed_up"] > 0 or (not row["teacher"] and row["student_latency_ms"] > 0)]
    here = [row for row in timed if row["device"] == timed[0]["device"]]
    if here:
        figure = accuracy_against("latency_ms", "latency at batch 1, ms", here)
        caption = f"Median time of a forward pass of one example on {wording.plain(here[0]['device'])}. {spread}"
        caption += "" if len(here) == len(students) else " Points that were timed elsewhere are left out."
        pictures.append(picture("latency", "Accuracy against latency", caption, COMPARISON, figure))
    return pictures
