"""Gains over tau and alpha as a grid of coloured cells."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from kdrun.reports import wording
from kdrun.reports.drawing import BETTER, INK, WORSE, axis_names, new_figure
from kdrun.reports.page.pictures import WIDTH
from kdrun.reports.wording import Row

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DARKEST = 0.55  # opacity at which letters on a cell can still be read
WIDE = 5  # so many columns have room for intervals


def grid_figure(rows: Sequence[Row]) -> tuple[Figure, bool]:
    """A cell for each tau (across) and alpha (up), the stronger coloured the larger its gain.

    rows: of the comparison, one for each pair of tau and alpha.
    Returns the picture, and whether its cells have room for intervals.
    """
    taus, alphas = (sorted({row[name] for row in rows}) for name in ("tau", "alpha"))
    figure, axes = new_figure(WIDTH, 1.0 + 0.42 * len(alphas))
    largest = max(abs(row["gain_mean"]) for row in rows) or 1.0
    for row in rows:
        place = taus.index(row["tau"]), alphas.index(row["alpha"])
        cell(axes, place, row["gain_mean"] / largest, BETTER if row["gain_mean"] > 0 else WORSE, row["selected"])
        _write(axes, place, row, len(taus))
    frame(axes, [f"{tau:g}" for tau in taus], [f"{alpha:g}" for alpha in alphas])
    axis_names(axes, "temperature tau", "alpha")
    return figure, len(taus) <= WIDE


def cell(axes: Axes, place: tuple[int, int], strength: float, colour: str, framed: bool) -> None:
    """A cell of a grid. strength: in [-1, 1]."""
    from matplotlib.patches import Rectangle

    corner = place[0] - 0.48, place[1] - 0.48
    axes.add_patch(Rectangle(corner, 0.96, 0.96, facecolor=colour, alpha=DARKEST * abs(strength), linewidth=0))
    if framed:
        axes.add_patch(Rectangle(corner, 0.96, 0.96, fill=False, edgecolor=INK, linewidth=2))


def frame(axes: Axes, across: Sequence[str], up: Sequence[str]) -> None:
    """Names of columns and rows, and no lines."""
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    axes.set_xticks(range(len(across)), across)
    axes.set_yticks(range(len(up)), up)
    axes.set_xlim(-0.5, len(across) - 0.5)
    axes.set_ylim(-0.5, len(up) - 0.5)


def _write(axes: Axes, place: tuple[int, int], row: Row, columns: int) -> None:
    mean = f"{100 * row['gain_mean']:+z.1f}"
    resolved = row["verdict"] in ("better", "worse")
    with_interval = columns <= WIDE and not math.isnan(row["gain_ci95_low"])
    x, y = place
    text = mean if resolved else f"({mean})"
    axes.text(x, y + 0.14 * with_interval, text, ha="center", va="center", fontsize=9 if columns <= 8 else 7, color=INK)
    if with_interval:
        low, high = wording.percent(row["gain_ci95_low"], 1), wording.percent(row["gain_ci95_high"], 1)
        axes.text(x, y - 0.24, f"[{low}, {high}]", ha="center", va="center", fontsize=6.5, color=INK)
