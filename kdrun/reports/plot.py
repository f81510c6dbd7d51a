"""The picture of a report: gains over the baseline with their intervals."""

from __future__ import annotations

import math
from collections.abc import Sequence
from textwrap import fill
from typing import TYPE_CHECKING

from pandas import DataFrame

from kdrun.reports import wording
from kdrun.reports.drawing import INK, as_text, new_figure
from kdrun.reports.gains import TAU, Across, in_rows, over
from kdrun.reports.swept import number, over_one_number
from kdrun.reports.wording import Row

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TITLE_WIDTH, LABEL_WIDTH = 78, 36  # letters that fit
SAME_BUT_TAU = ("setting", "teacher", "knowledge", "mode", "alpha")


def gain_figure(comparison: DataFrame) -> Figure:
    """Gain in test accuracy over the baseline, percentage points, with 95 % intervals.

    Against tau on a log2 axis where nothing but tau varies between the points; against another number of a sweep
    over this alone, on a log axis, where it spans a decade; else a row for each point and each control. A gain
    without an interval is a hollow mark. Points that use the same runs are one.

    comparison: as `comparison.comparison` gives it.
    """
    rows = [row for row in wording.records(comparison) if math.isnan(row["same_as"])]
    students = [row for row in rows if row["role"] == "student"]
    controls = [row for row in rows if row["role"] == "control"]
    across = _across(students)
    figure, axes = new_figure(6.8, 4.2 if across else 1.6 + 0.32 * len(rows))
    if across:
        name = "gain in test accuracy, percentage points"
        over(across, axes, {students[0]["knowledge"]: students}, controls, columns=3, name=name)
    else:
        name = "gain in test accuracy over the baseline,\npercentage points"
        in_rows(axes, students, controls, letters=LABEL_WIDTH, name=name)
    as_text(figure.suptitle(_title(students), x=0.01, ha="left", fontsize=10, color=INK))
    return figure


def _across(students: Sequence[Row]) -> Across | None:
    if _only_tau_varies(students):
        return TAU
    key = over_one_number(students)
    return Across(key, number, 10) if key else None


def _only_tau_varies(students: Sequence[Row]) -> bool:
    taus = {row["tau"] for row in students}
    same = all(len({str(row[name]) for row in students}) == 1 for name in SAME_BUT_TAU)
    return same and len(taus) == len(students) > 1 and all(tau > 0 for tau in taus)


def _title(students: Sequence[Row]) -> str:
    def one(name: str) -> str:
        values = list(dict.fromkeys(wording.plain(row[name]) for row in students if row[name]))
        return values[0] if len(values) == 1 else f"{len(values)} {name}s"

    seeds = wording.count(max(row["n_seeds"] for row in students), "seed")
    interval = "95 % paired intervals" if any(row["n_seeds"] > 1 for row in students) else "no interval"
    ring = "; ring: selected on validation" if any(row["selected"] for row in students) else ""
    by = f" taught by {one('teacher')}" if any(row["teacher"] for row in students) else ""
    told = fill(f"{one('dataset')}: {one('student')}{by}", TITLE_WIDTH)
    return f"{told}\n{seeds}, {interval}{ring}"
