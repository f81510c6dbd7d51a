"""The picture of a report: gains over the baseline with their intervals."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import cycle
from textwrap import fill
from typing import TYPE_CHECKING, Any

from pandas import DataFrame

from kdrun.reports import wording
from kdrun.reports.wording import Row

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.text import Text

STUDENT = "#1f5fa8"
CONTROLS = ("#d1701a", "#4b8b3b", "#8a4fa3", "#8c6d3f")
TITLE_WIDTH, LABEL_WIDTH = 78, 36  # letters that fit
INK, GRID = "#444444", "#dddddd"
MARKS: dict[str, Any] = {"capsize": 3, "markersize": 5, "linewidth": 1.4, "elinewidth": 1.2}
RING: dict[str, Any] = {"s": 130, "facecolors": "none", "edgecolors": STUDENT, "zorder": 4}
SAME_BUT_TAU = ("setting", "teacher", "knowledge", "mode", "alpha")


def gain_figure(comparison: DataFrame) -> Figure:
    """Gain in test accuracy over the baseline, percentage points, with 95 % intervals.

    Against tau on a log2 axis where nothing but tau varies between the points; else a row for each point
    and each control. A gain without an interval is a hollow mark. Points that use the same runs are one.

    comparison: as `comparison.comparison` gives it.
    """
    from matplotlib.figure import Figure

    rows = [row for row in wording.records(comparison) if math.isnan(row["same_as"])]
    students = [row for row in rows if row["role"] == "student"]
    controls = [row for row in rows if row["role"] == "control"]
    over_tau = _only_tau_varies(students)
    figure = Figure(figsize=(6.8, 4.2 if over_tau else 1.6 + 0.32 * len(rows)), layout="constrained")
    axes = figure.add_subplot()
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(color=GRID, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.tick_params(labelsize=9, colors=INK)
    (_draw_over_tau if over_tau else _draw_rows)(axes, students, controls)
    _as_text(figure.suptitle(_title(students), x=0.01, ha="left", fontsize=10, color=INK))
    return figure


def _only_tau_varies(students: Sequence[Row]) -> bool:
    taus = {row["tau"] for row in students}
    same = all(len({str(row[name]) for row in students}) == 1 for name in SAME_BUT_TAU)
    return same and len(taus) == len(students) > 1 and all(tau > 0 for tau in taus)


def _draw_over_tau(axes: Axes, students: Sequence[Row], controls: Sequence[Row]) -> None:
    axes.axhline(0, color=INK, linewidth=1, label="hard-label baseline")
    for name, colour in zip(dict.fromkeys(row["knowledge"] for row in controls), cycle(CONTROLS), strict=False):
        _control(axes, [row for row in controls if row["knowledge"] == name], wording.spoken(name), colour)
    _curve(axes, students, students[0]["knowledge"], STUDENT, "o-")
    for row in students:
        if row["selected"]:
            axes.scatter([row["tau"]], [100 * row["gain_mean"]], **RING)
    taus = [row["tau"] for row in students]
    axes.set_xscale("log", base=2)
    axes.set_xticks(taus, [f"{tau:g}" for tau in taus])
    axes.minorticks_off()
    axes.set_xlabel("temperature tau", color=INK)
    axes.set_ylabel("gain in test accuracy, percentage points", color=INK)
    legend = axes.figure.legend(loc="outside lower center", ncols=3, frameon=False, fontsize=9)
    for text in legend.get_texts():
        _as_text(text)


def _control(axes: Axes, rows: Sequence[Row], name: str, colour: str) -> None:
    """A line with its interval where one set of runs serves every tau, else a curve of its own."""
    if len(rows) > 1:
        _curve(axes, rows, name, colour, "s--")
        return
    mean, low, high = (100 * rows[0][f"gain_{part}"] for part in ("mean", "ci95_low", "ci95_high"))
    axes.axhline(mean, color=colour, linewidth=1.4, linestyle="--", label=_as_label(name))
    axes.axhspan(low, high, color=colour, alpha=0.13, linewidth=0)


def _curve(axes: Axes, rows: Sequence[Row], name: str, colour: str, line: str) -> None:
    rising = sorted(rows, key=lambda row: row["tau"])
    taus, means, reach = [row["tau"] for row in rising], _means(rising), _reach(rising)
    inside = _inside(rising, colour)
    axes.errorbar(taus, means, yerr=reach, fmt=line, color=colour, mfc=inside, label=_as_label(name), **MARKS)


def _draw_rows(axes: Axes, students: Sequence[Row], controls: Sequence[Row]) -> None:
    names = [*wording.labels(controls), *wording.labels(students)]
    named = sorted(zip([*controls, *students], names, strict=True), key=lambda pair: pair[0]["setting"])
    axes.axvline(0, color=INK, linewidth=1)
    for height, (row, _) in enumerate(named):
        colour = STUDENT if row["role"] == "student" else CONTROLS[0]
        inside = _inside([row], colour)
        axes.errorbar(_means([row]), [height], xerr=_reach([row]), fmt="o", color=colour, mfc=inside, **MARKS)
        if row["selected"]:
            axes.scatter(_means([row]), [height], **RING)
    axes.set_yticks(range(len(named)), [fill(wording.plain(name), LABEL_WIDTH) for _, name in named])
    for tick in axes.get_yticklabels():
        _as_text(tick)
    axes.set_ylim(len(named) - 0.5, -0.5)
    axes.set_xlabel("gain in test accuracy over the baseline,\npercentage points", color=INK)


def _means(rows: Sequence[Row]) -> list[float]:
    return [100 * row["gain_mean"] for row in rows]


def _reach(rows: Sequence[Row]) -> list[list[float]]:
    """Lengths of the error bars below and above, points; 0 where there is no interval."""
    lengths = [[100 * abs(row[f"gain_ci95_{side}"] - row["gain_mean"]) for row in rows] for side in ("low", "high")]
    return [[0.0 if math.isnan(length) else length for length in side] for side in lengths]


def _inside(rows: Sequence[Row], colour: str) -> str:
    return "white" if all(math.isnan(row["gain_ci95_low"]) for row in rows) else colour


def _title(students: Sequence[Row]) -> str:
    def one(name: str) -> str:
        values = list(dict.fromkeys(wording.plain(row[name]) for row in students))
        return values[0] if len(values) == 1 else f"{len(values)} {name}s"

    seeds = wording.count(max(row["n_seeds"] for row in students), "seed")
    interval = "95 % paired intervals" if any(row["n_seeds"] > 1 for row in students) else "no interval"
    ring = "; ring: selected on validation" if any(row["selected"] for row in students) else ""
    told = fill(f"{one('dataset')}: {one('student')} taught by {one('teacher')}", TITLE_WIDTH)
    return f"{told}\n{seeds}, {interval}{ring}"


def _as_label(name: str) -> str:
    """Matplotlib leaves out of a legend what starts with an underscore."""
    return f" {wording.plain(name)}" if name.startswith("_") else wording.plain(name)


def _as_text(text: Text) -> None:
    text.set_parse_math(False)  # a dollar sign in a name starts no formula
