"""Learning curves of teacher, baseline, controls and student."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from kdrun.reports import wording
from kdrun.reports.details import Details
from kdrun.reports.drawing import (
    BASELINE,
    STUDENT,
    TEACHER,
    as_label,
    axis_names,
    control_colours,
    legend,
    new_figure,
)
from kdrun.reports.page.pictures import WIDTH
from kdrun.reports.shares import Learner, curve

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from pandas import DataFrame

SETTLED = 0.15  # of the epochs: the frame begins where learning has come by then
COLOURS = {"teacher": TEACHER, "baseline": BASELINE, "student": STUDENT}


class Quantity(NamedTuple):
    """column: of curves.csv; axis: its name and unit; scale: from the file's unit to the axis's."""

    column: str
    axis: str
    scale: float
    caption: str


ACCURACY = Quantity(
    "validation_accuracy",
    "validation accuracy, %",
    100.0,
    "Accuracy on the validation part after each epoch; the first epochs may lie below the frame.",
)
CROSS_ENTROPY = Quantity(
    "train_ce",
    "training cross-entropy, nats",
    1.0,
    "There is no validation part: mean cross-entropy with the labels over each epoch's training batches.",
)
LOSS = Quantity(
    "train_loss",
    "training loss",
    1.0,
    "There is no validation part: each learner's own training loss, mean over each epoch. "
    "The losses are of different kinds, and their heights do not compare.",
)


def quantity_of(details: Details, learners: Sequence[Learner]) -> Quantity | None:
    """What is known of teacher, baseline and student, as far as they left curves; None where none did.

    A control may lack it, and has no curve then.
    """
    ids = [run_id for one in learners if one.role != "control" for run_id in one.runs["run_id"]]
    known = details.curves[details.curves["run_id"].isin(ids)]
    for quantity in (ACCURACY, CROSS_ENTROPY, LOSS):
        if len(known) and quantity.column in known and known.groupby("run_id")[quantity.column].count().min() > 0:
            return quantity
    return None


def curve_figure(details: Details, learners: Sequence[Learner], quantity: Quantity) -> Figure:
    """Mean over seeds after each epoch, with a band of one standard deviation to each side."""
    from matplotlib.ticker import MaxNLocator

    figure, axes = new_figure(WIDTH, 3.4)
    colours = control_colours([one.control for one in learners if one.role == "control"])
    drawn = [(one, curve(details, one, quantity.column) * [quantity.scale, quantity.scale, 1]) for one in learners]
    drawn = [(one, line) for one, line in drawn if len(line)]
    for one, line in drawn:
        colour = COLOURS.get(one.role) or colours[one.control]
        epochs, mean, std = line.index.to_numpy(), line["mean"].to_numpy(), line["std"].fillna(0.0).to_numpy()
        style = "--" if one.role == "control" else "-"
        name = wording.spoken(one.control) or one.role
        axes.plot(epochs, mean, style, color=colour, linewidth=1.5, label=as_label(name), marker="o" * (len(mean) == 1))
        if std.any():
            axes.fill_between(epochs, mean - std, mean + std, color=colour, alpha=0.18, linewidth=0)
    if quantity is ACCURACY:
        axes.set_ylim(bottom=min(_settled(line) for _, line in drawn))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axis_names(axes, "epoch", quantity.axis)
    legend(axes, 2)
    return figure


def _settled(line: DataFrame) -> float:
    """The lowest mean after the first epochs, and a little less."""
    later = line[line.index > SETTLED * line.index.max()]["mean"]
    return max(0.0, float(later.min()) - 1.0)
