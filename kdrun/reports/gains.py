"""Gains over the baseline with their intervals, drawn over a number or in rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from textwrap import fill
from typing import TYPE_CHECKING, NamedTuple

from kdrun.reports import wording
from kdrun.reports.drawing import (
    CONTROLS,
    INK,
    MARKS,
    RING,
    SERIES,
    STUDENT,
    as_label,
    as_text,
    axis_names,
    control_colours,
    inside,
    legend,
    means,
    reach,
)
from kdrun.reports.wording import Row

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class Across(NamedTuple):
    """What curves stand over: a number > 0 of each row, on a logarithmic axis to a base."""

    name: str
    of: Callable[[Row], float]
    base: int


TAU = Across("temperature tau", lambda row: float(row["tau"]), 2)


def over(
    across: Across,
    axes: Axes,
    students: Mapping[str, Sequence[Row]],
    controls: Sequence[Row],
    *,
    columns: int,
    name: str,
) -> None:
    """A curve for each series of students, and one or a line for each control.

    students: rows by the name of their series, at most four.
    columns: of the legend. name: of the axis of gains.
    """
    axes.axhline(0, color=INK, linewidth=1, label="hard-label baseline")
    for control, colour in control_colours([row["knowledge"] for row in controls]).items():
        alike = [row for row in controls if row["knowledge"] == control]
        _control(across, axes, alike, wording.spoken(control), colour)
    for (kind, rows), (colour, mark) in zip(students.items(), SERIES, strict=False):
        _curve(across, axes, rows, kind, colour, f"{mark}-")
        for row in rows:
            if row["selected"]:
                axes.scatter([across.of(row)], means([row]), **RING)
    numbers = sorted({across.of(row) for rows in students.values() for row in rows})
    axes.set_xscale("log", base=across.base)
    axes.set_xticks(numbers, [f"{number:,.6g}" for number in numbers])
    axes.minorticks_off()
    axis_names(axes, wording.plain(across.name), name)
    legend(axes, columns)


def in_rows(axes: Axes, students: Sequence[Row], controls: Sequence[Row], *, letters: int, name: str) -> None:
    """A row for each point and each control, those with the same baseline together.

    letters: of a label in one line. name: of the axis of gains.
    """
    names = [*wording.labels(controls), *wording.labels(students)]
    named = sorted(zip([*controls, *students], names, strict=True), key=lambda pair: pair[0]["setting"])
    axes.axvline(0, color=INK, linewidth=1)
    for height, (row, _) in enumerate(named):
        colour = STUDENT if row["role"] == "student" else CONTROLS[0]
        within = inside([row], colour)
        axes.errorbar(means([row]), [height], xerr=reach([row]), fmt="o", color=colour, mfc=within, **MARKS)
        if row["selected"]:
            axes.scatter(means([row]), [height], **RING)
    axes.set_yticks(range(len(named)), [fill(wording.plain(label), letters) for _, label in named])
    for tick in axes.get_yticklabels():
        as_text(tick)
    axes.set_ylim(len(named) - 0.5, -0.5)
    axis_names(axes, name, "")


def _control(across: Across, axes: Axes, rows: Sequence[Row], name: str, colour: str) -> None:
    """A line with its interval where one set of runs serves every number, else a curve of its own."""
    if len(rows) > 1:
        _curve(across, axes, rows, name, colour, "s--")
        return
    mean, low, high = (100 * rows[0][f"gain_{part}"] for part in ("mean", "ci95_low", "ci95_high"))
    axes.axhline(mean, color=colour, linewidth=1.4, linestyle="--", label=as_label(name))
    axes.axhspan(low, high, color=colour, alpha=0.13, linewidth=0)


def _curve(across: Across, axes: Axes, rows: Sequence[Row], name: str, colour: str, line: str) -> None:
    rising = sorted(rows, key=across.of)
    numbers, within = [across.of(row) for row in rising], inside(rising, colour)
    axes.errorbar(
        numbers, means(rising), yerr=reach(rising), fmt=line, color=colour, mfc=within, label=as_label(name), **MARKS
    )
