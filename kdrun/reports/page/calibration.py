"""The reliability diagram."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from kdrun.reports.details import Details
from kdrun.reports.drawing import BASELINE, INK, STUDENT, TEACHER, axis_names, legend, new_figure
from kdrun.reports.page.pictures import WIDTH
from kdrun.reports.shares import Learner, reliability

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLOURS = {"teacher": TEACHER, "baseline": BASELINE, "student": STUDENT}
LARGEST = 150.0  # area of the mark of a bin that holds every example, square points


def reliability_figure(details: Details, learners: Sequence[Learner]) -> Figure | None:
    """Accuracy against confidence, in bins; None where no learner's are known."""
    known = [(one.role, reliability(details, one)) for one in learners if one.role in COLOURS]
    known = [(role, bins) for role, bins in known if len(bins)]
    if not known:
        return None
    figure, axes = new_figure(WIDTH, 3.8)
    axes.plot([0, 100], [0, 100], ":", color=INK, linewidth=1, label="confidence is right")
    for role, bins in known:
        confidence, accuracy = 100 * bins["confidence"], 100 * bins["accuracy"]
        axes.plot(confidence, accuracy, "-", color=COLOURS[role], linewidth=1, label=role)
        axes.scatter(confidence, accuracy, s=5 + LARGEST * bins["share"], color=COLOURS[role], linewidths=0)
    axis_names(axes, "confidence, %", "accuracy, %")
    axes.set_xlim(min(bins["low"].min() for _, bins in known) * 100, 102)
    axes.set_ylim(-2, 102)
    legend(axes, 2)
    return figure
