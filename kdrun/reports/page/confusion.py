"""What student and baseline take for something else, and how that changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from textwrap import shorten
from typing import TYPE_CHECKING

from pandas import DataFrame

from kdrun.reports import wording
from kdrun.reports.drawing import BETTER, INK, WORSE, as_text, axis_names, new_figure
from kdrun.reports.page.grid import cell, frame
from kdrun.reports.page.pictures import WIDTH
from kdrun.reports.wording import Row

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_CLASSES = 12  # of a matrix that can be read
LARGEST = 20  # changes, of more classes
LETTERS = 14
SMALLEST = 0.0005  # of a change that is not written as 0.0 points


def confusion_figure(difference: DataFrame, names: Mapping[float, str]) -> tuple[Figure, bool]:
    """A matrix, or of many classes the largest changes; and whether it is the whole.

    difference: as `shares.confusion_difference` gives it. names: of the classes.
    """
    classes = sorted(set(difference["label"]) | set(difference["predicted"]))
    short = {label: _short(names.get(label, f"{label:.0f}")) for label in classes}
    if len(classes) <= MOST_CLASSES:
        return _matrix(difference, classes, short), True
    return _largest(difference, short), False


def _matrix(difference: DataFrame, classes: Sequence[float], names: Mapping[float, str]) -> Figure:
    figure, axes = new_figure(WIDTH, 0.9 + 0.33 * len(classes))
    largest = difference["difference"].abs().max() or 1.0
    for row in wording.records(difference):
        place = classes.index(row["predicted"]), len(classes) - 1 - classes.index(row["label"])
        change = row["difference"]
        cell(axes, place, change / largest, _colour(row), framed=False)
        if abs(change) >= SMALLEST:
            axes.text(*place, f"{100 * change:+.1f}", ha="center", va="center", fontsize=6.5, color=INK)
    across = [names[label] for label in classes]
    frame(axes, across, across[::-1])
    axis_names(axes, "class given", "class of the example")
    for tick in (*axes.get_xticklabels(), *axes.get_yticklabels()):
        as_text(tick)
    if max(map(len, across)) > 2:
        axes.tick_params(axis="x", labelrotation=90)
    return figure


def _largest(difference: DataFrame, names: Mapping[float, str]) -> Figure:
    order = difference["difference"].abs().sort_values(ascending=False, kind="stable").index[:LARGEST]
    rows = wording.records(difference.loc[order])
    figure, axes = new_figure(WIDTH, 0.9 + 0.24 * len(rows))
    axes.axvline(0, color=INK, linewidth=1)
    axes.barh(range(len(rows)), [100 * row["difference"] for row in rows], 0.6, color=[_colour(row) for row in rows])
    axes.set_yticks(range(len(rows)), [_change(row, names) for row in rows])
    for tick in axes.get_yticklabels():
        as_text(tick)
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axis_names(axes, "change, percentage points", "")
    return figure


def _change(row: Row, names: Mapping[float, str]) -> str:
    right = row["label"] == row["predicted"]
    return f"{names[row['label']]}, right" if right else f"{names[row['label']]} → {names[row['predicted']]}"


def _colour(row: Row) -> str:
    """A right answer given more often is better, a mistake made more often is worse."""
    right = row["label"] == row["predicted"]
    return BETTER if (row["difference"] > 0) == right else WORSE


def _short(name: str) -> str:
    return shorten(wording.plain(name), LETTERS, placeholder="…")
