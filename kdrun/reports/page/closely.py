"""The points that are shown closely: how they learned, and what they gained class by class."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from pandas import DataFrame

from kdrun.reports import wording
from kdrun.reports.details import Details
from kdrun.reports.page.calibration import reliability_figure
from kdrun.reports.page.classes import class_figure
from kdrun.reports.page.confusion import confusion_figure
from kdrun.reports.page.curves import curve_figure, quantity_of
from kdrun.reports.page.pictures import Picture, picture
from kdrun.reports.points import Point, points
from kdrun.reports.shares import class_gains, class_names, confusion_difference, learners

MOST = 3  # a page stays small
WHY = {
    True: "The point that validation selects.",
    False: "The first point with finished runs: validation selects none, and the test set must not choose.",
}


class Section(NamedTuple):
    """A point, why it is shown, and its pictures."""

    name: str
    why: str
    pictures: list[Picture]


def chosen(comparison: DataFrame) -> list[int]:
    """The points that validation selects; where it selects none, the first one that has a finished pair.

    comparison: as `comparison.comparison` gives it.
    """
    students = comparison[(comparison["role"] == "student") & comparison["same_as"].isna()]
    selected = students.loc[students["selected"], "point"].tolist()
    return selected[:MOST] or students.loc[students["n_seeds"] > 0, "point"].tolist()[:1]


def closely(comparison: DataFrame, runs: DataFrame, details: Details) -> list[Section]:
    """A section for each chosen point.

    runs: rows of `runs.csv` as `reading.read_runs` gives them.
    """
    students = [row for row in wording.records(comparison) if row["role"] == "student"]
    named = dict(zip([row["point"] for row in students], wording.learners(students), strict=True))
    selected = {row["point"]: bool(row["selected"]) for row in students}
    by_number = {point.number: point for point in points(runs)}
    alone = len(students) == 1
    return [
        Section(
            wording.plain(named[number]),
            "" if alone else WHY[selected[number]],
            list(_pictures(by_number[number], details)),
        )
        for number in chosen(comparison)
    ]


def _pictures(point: Point, details: Details) -> Iterator[Picture]:
    """Those for which there are data."""
    draw: tuple[Callable[[Point, Details], Picture | None], ...] = (_curves, _classes, _reliability, _confusion)
    for drawn in (one(point, details) for one in draw):
        if drawn is not None:
            yield drawn


def _curves(point: Point, details: Details) -> Picture | None:
    quantity = quantity_of(details, learners(point))
    if quantity is None or (point.student["own_epochs"] == 0).all():  # a student that was put together learned nothing
        return None
    caption = f"{quantity.caption} The band is the standard deviation over seeds."
    figure = curve_figure(details, learners(point), quantity)
    return picture(f"curves{point.number}", "Learning curves", caption, "curves.csv", figure)


def _classes(point: Point, details: Details) -> Picture | None:
    gains = class_gains(details, point)
    if gains.empty:
        return None
    figure, left_out = class_figure(gains)
    caption = (
        "Gain in the share of a class's test examples that is classified rightly, with 95 % paired t intervals "
        "over seeds, each class by itself: of many classes some seem better or worse by chance."
    )
    more = f" The {left_out} classes between are in the file." if left_out else ""
    return picture(f"classes{point.number}", "Gain by class", caption + more, "class_gains.csv", figure)


def _reliability(point: Point, details: Details) -> Picture | None:
    figure = reliability_figure(details, learners(point))
    if figure is None:
        return None
    caption = (
        "Accuracy of the test examples that were classified with so much confidence, in 15 bins over all seeds; the "
        "larger a mark, the more examples. On the dotted line confidence is right; below it, too high."
    )
    return picture(f"reliability{point.number}", "Reliability", caption, "reliability.csv", figure)


def _confusion(point: Point, details: Details) -> Picture | None:
    difference = confusion_difference(details, point)
    if difference.empty:
        return None
    figure, whole = confusion_figure(difference, class_names(details, point))
    caption = (
        "How much more often the student gives a class to the test examples of a class than the baseline does, "
        "percentage points of that class, mean over seeds. "
    )
    caption += "Blue is for the better: right more often, or a mistake made less often." + (
        "" if whole else " The largest changes only."
    )
    return picture(f"confusion{point.number}", "Change in confusions", caption, "confusion.csv", figure)
