"""A report's files, made from its runs.csv and report.json."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import pandas as pd
from pandas import DataFrame

from kdrun.reports.comparison import comparison
from kdrun.reports.details import Details, read_details
from kdrun.reports.markdown import markdown
from kdrun.reports.page import page
from kdrun.reports.page.closely import chosen
from kdrun.reports.plot import gain_figure
from kdrun.reports.points import points
from kdrun.reports.reading import read_notes, read_runs
from kdrun.reports.shares import class_gains
from kdrun.runs import atomic

COUNTS = (
    "teacher_train_size",
    "train_size",
    "student_parameters",
    "teacher_parameters",
    "test_examples",
    "same_as",
    "batch_size",
    "labelled_examples",
    "baseline_train_size",
    "omitted_examples",
    "offset_images",
)


class Report(NamedTuple):
    """A comparison, and a line for each thing that its `runs.csv` lacks."""

    comparison: DataFrame
    missing: list[str]


def write_report(folder: Path) -> Report:
    """Write comparison.csv, class_gains.csv, report.html, report.md, gain.png and gain.svg.

    folder: holds `runs.csv` and `report.json`, and as far as they are there the files of `details`.
    Raises UserError naming a file of the first two that cannot be used, or one that cannot be written; each
    file is written whole or not at all.
    """
    notes = read_notes(folder / "report.json")
    runs, missing = read_runs(folder / "runs.csv", planned=notes.get("rows"))
    details = read_details(folder, runs)
    table = comparison(runs)
    seeds = sorted(set(runs.loc[runs["role"] == "student", "seed"]))
    contents = {
        "comparison.csv": _whole(table).to_csv(index=False).encode(),
        "class_gains.csv": _class_gains(table, runs, details).to_csv(index=False).encode(),
        "report.md": markdown(table, notes, seeds, ["gain.png"], missing).encode(),
        "report.html": page(table, runs, notes, details, missing).encode(),
        **_pictures(table),
    }
    for name, content in contents.items():
        atomic.write_bytes(folder / name, content)
    return Report(table, missing)


def _class_gains(table: DataFrame, runs: DataFrame, details: Details) -> DataFrame:
    """Of the points that the page shows closely."""
    by_number = {point.number: point for point in points(runs)}
    gains = [class_gains(details, by_number[number]).assign(point=number) for number in chosen(table)]
    return pd.concat([DataFrame(columns=["point"]), *gains]) if gains else DataFrame(columns=["point"])


def _whole(table: DataFrame) -> DataFrame:
    """Counts as whole numbers, empty where unknown; `round` keeps a file edited by hand readable."""
    return table.assign(**{name: table[name].round().astype("Int64") for name in COUNTS})


def _pictures(table: DataFrame) -> Mapping[str, bytes]:
    import matplotlib as mpl

    figure, pictures = gain_figure(table), {}
    with mpl.rc_context({"svg.hashsalt": "kdrun"}):  # the same numbers give the same file
        for form, metadata in (("png", {}), ("svg", {"Date": None})):
            stream = io.BytesIO()
            figure.savefig(stream, format=form, dpi=150, metadata=metadata)
            pictures[f"gain.{form}"] = stream.getvalue()
    return pictures
