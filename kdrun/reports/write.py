"""A report's files, made from its runs.csv and report.json."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path

from pandas import DataFrame

from kdrun.reports.comparison import comparison
from kdrun.reports.markdown import markdown
from kdrun.reports.plot import gain_figure
from kdrun.reports.reading import read_notes, read_runs
from kdrun.runs import atomic

COUNTS = (
    "teacher_train_size",
    "train_size",
    "student_parameters",
    "teacher_parameters",
    "test_examples",
    "same_as",
    "batch_size",
)


def write_report(folder: Path) -> DataFrame:
    """Write comparison.csv, report.md, gain.png and gain.svg beside the files they are made from.

    folder: holds `runs.csv` and `report.json`.
    Returns the comparison. Raises UserError naming the file that is missing, damaged or cannot be written;
    each file is written whole or not at all.
    """
    notes, runs = read_notes(folder / "report.json"), read_runs(folder / "runs.csv")
    table = comparison(runs)
    seeds = sorted(set(runs.loc[runs["role"] == "student", "seed"]))
    page = markdown(table, notes, seeds, ["gain.png"])
    contents = {
        "comparison.csv": _whole(table).to_csv(index=False).encode(),
        "report.md": page.encode(),
        **_pictures(table),
    }
    for name, content in contents.items():
        atomic.write_bytes(folder / name, content)
    return table


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
