"""How the pictures of a report are drawn: their colours, marks, and names as text."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import cycle
from typing import TYPE_CHECKING, Any

from kdrun.reports import wording
from kdrun.reports.wording import Row

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.text import Text

STUDENT, BASELINE, TEACHER = "#1f5fa8", "#5d6675", "#7d3f98"
CONTROLS = ("#d1701a", "#4b8b3b", "#8a4fa3", "#8c6d3f")
SERIES = ((STUDENT, "o"), ("#0b7a70", "s"), ("#6f4bb8", "^"), ("#a8326e", "D"))  # several kinds of student
BETTER, WORSE = "#1f5fa9", "#b3401f"
INK, GRID, PAPER = "#444444", "#dddddd", "#ffffff"
MARKS: dict[str, Any] = {"capsize": 3, "markersize": 5, "linewidth": 1.4, "elinewidth": 1.2}
RING: dict[str, Any] = {"s": 130, "facecolors": "none", "edgecolors": STUDENT, "zorder": 4}

# What the colours are called in the style sheet of pages, which has others for the dark.
NAMED: Mapping[str, str] = {
    STUDENT: "var(--student)",
    **{colour: f"var(--student-{number})" for number, (colour, _) in enumerate(SERIES[1:], 2)},
    BASELINE: "var(--baseline)",
    TEACHER: "var(--teacher)",
    **{colour: f"var(--control-{number})" for number, colour in enumerate(CONTROLS, 1)},
    BETTER: "var(--better)",
    WORSE: "var(--worse)",
    INK: "var(--ink)",
    GRID: "var(--line)",
    PAPER: "var(--paper)",
    "#000000": "var(--ink)",
}


def new_figure(width: float, height: float) -> tuple[Figure, Axes]:
    """An empty picture, inches."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.add_subplot()
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(INK)
    axes.grid(color=GRID, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.tick_params(labelsize=9, colors=INK)
    return figure, axes


def axis_names(axes: Axes, x: str, y: str) -> None:
    axes.set_xlabel(x, color=INK)
    axes.set_ylabel(y, color=INK)


def legend(axes: Axes, columns: int) -> None:
    """Below the axes."""
    shown = axes.figure.legend(loc="outside lower center", ncols=columns, frameon=False, fontsize=9)
    for text in shown.get_texts():
        text.set_color(INK)
        as_text(text)


def control_colours(names: Sequence[str]) -> dict[str, str]:
    """A colour for each distinct control, in their order."""
    return dict(zip(dict.fromkeys(names), cycle(CONTROLS), strict=False))


def means(rows: Sequence[Row]) -> list[float]:
    """Gains, points."""
    return [100 * row["gain_mean"] for row in rows]


def reach(rows: Sequence[Row]) -> list[list[float]]:
    """Lengths of the error bars below and above, points; 0 where there is no interval."""
    lengths = [[100 * abs(row[f"gain_ci95_{side}"] - row["gain_mean"]) for row in rows] for side in ("low", "high")]
    return [[0.0 if math.isnan(length) else length for length in side] for side in lengths]


def inside(rows: Sequence[Row], colour: str) -> str:
    """The colour within a mark: none where there is no interval."""
    return PAPER if all(math.isnan(row["gain_ci95_low"]) for row in rows) else colour


def as_label(name: str) -> str:
    """Matplotlib leaves out of a legend what starts with an underscore."""
    return f" {wording.plain(name)}" if name.startswith("_") else wording.plain(name)


def as_text(text: Text) -> None:
    text.set_parse_math(False)  # a dollar sign in a name starts no formula
