"""Gains class by class."""

from __future__ import annotations

from textwrap import shorten
from typing import TYPE_CHECKING

import pandas as pd
from pandas import DataFrame

from kdrun.reports import wording
from kdrun.reports.drawing import BETTER, INK, MARKS, WORSE, as_text, axis_names, inside, means, new_figure, reach
from kdrun.reports.page.pictures import WIDTH

if TYPE_CHECKING:
    from matplotlib.figure import Figure

EACH_END = 12  # of more than twice as many classes, those that gained most and those that gained least
LETTERS = 18


def class_figure(gains: DataFrame) -> tuple[Figure, int]:
    """A row for each class, the largest gain on top, and how many classes are left out.

    gains: as `shares.class_gains` gives it.
    """
    rising = gains.sort_values(["gain_mean", "label"], ascending=[False, True])
    kept = rising if len(rising) <= 2 * EACH_END else pd.concat([rising[:EACH_END], rising[-EACH_END:]])
    figure, axes = new_figure(WIDTH, 0.9 + 0.24 * len(kept))
    axes.axvline(0, color=INK, linewidth=1)
    rows = wording.records(kept)
    for height, row in enumerate(rows):
        colour = BETTER if row["gain_mean"] >= 0 else WORSE
        within = inside([row], colour)
        axes.errorbar(means([row]), [height], xerr=reach([row]), fmt="o", color=colour, mfc=within, **MARKS)
    axes.set_yticks(range(len(rows)), [shorten(wording.plain(row["name"]), LETTERS, placeholder="…") for row in rows])
    for tick in axes.get_yticklabels():
        as_text(tick)
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axis_names(axes, "gain within the class, percentage points", "")
    return figure, len(gains) - len(kept)
