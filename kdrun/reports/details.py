"""What a report knows of its runs beyond their results: epochs and counts of predictions, as far as they are there."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import pandas as pd
from pandas import DataFrame

CURVES = ("run_id", "epoch")
CONFUSION = ("run_id", "label", "predicted", "examples")
RELIABILITY = ("run_id", "bin", "examples", "correct", "confidence_sum")
CLASSES = ("dataset", "class", "name")
TEXT = ("run_id", "dataset", "name")


class Details(NamedTuple):
    """Four files (see `plans.collect`), empty where they are missing, and a line for each thing that they lack."""

    curves: DataFrame
    confusion: DataFrame
    reliability: DataFrame
    classes: DataFrame
    missing: list[str]


def read_details(folder: Path, runs: DataFrame) -> Details:
    """The details of a report's finished runs.

    Rows that are damaged are left out. Counts that do not add up to a run's test examples are left out with all
    of that run; a run that lacks epochs keeps the others.

    runs: rows of `runs.csv` as `reading.read_runs` gives them.
    """
    missing: list[str] = []
    finished = runs[runs["status"] == "finished"].drop_duplicates("run_id").set_index("run_id")
    curves = _read(folder / "curves.csv", CURVES, "learning curves", missing)
    if len(curves):
        kept = curves.groupby("run_id").size().reindex(finished.index, fill_value=0)
        short = kept < finished["own_epochs"].fillna(finished["epochs"])
        missing += _told("curves.csv", "epochs", finished.index[short].tolist())
    confusion = _read(folder / "confusion.csv", CONFUSION, "gains by class and no confusions", missing)
    reliability = _read(folder / "reliability.csv", RELIABILITY, "reliability diagrams", missing)
    return Details(
        curves,
        _whole(confusion, "confusion.csv", finished, missing),
        _whole(reliability, "reliability.csv", finished, missing),
        _read(folder / "classes.csv", CLASSES, "names of classes", missing),
        missing,
    )


def _read(path: Path, needed: Sequence[str], shows: str, missing: list[str]) -> DataFrame:
    """A file's rows with a value in each needed column; a last line without its end may have lost part of a number."""
    nothing = DataFrame({name: [] for name in needed})
    try:
        content = path.read_bytes()
        rows = pd.read_csv(path, dtype=str, keep_default_na=False, on_bad_lines="skip", encoding_errors="replace")
    except FileNotFoundError:
        if needed is not CLASSES:  # runs of earlier versions say no names
            missing.append(f"{path.name} is missing, so there are no {shows}: run the command again")
        return nothing
    except (OSError, ValueError) as error:
        missing.append(f"{path.name} cannot be read ({' '.join(str(error).split())}), so there are no {shows}")
        return nothing
    if absent := [name for name in needed if name not in rows.columns]:
        missing.append(f"{path.name} has no column {', '.join(absent)}, so there are no {shows}")
        return nothing
    whole = rows if content.endswith(b"\n") else rows.iloc[:-1]
    texts = whole[[name for name in rows.columns if name not in TEXT]]
    numbers = texts.apply(pd.to_numeric, errors="coerce")
    bad = numbers.isna() & ((texts != "") | texts.columns.isin(needed))
    kept: DataFrame = whole.assign(**numbers)[~bad.any(axis=1)]
    if lost := len(rows) - len(kept):
        missing.append(f"{path.name}: {lost} damaged row{'s are' if lost > 1 else ' is'} left out")
    if kept.empty:
        missing.append(f"{path.name} holds no rows, so there are no {shows}")
    return kept


def _whole(counts: DataFrame, file: str, finished: DataFrame, missing: list[str]) -> DataFrame:
    """The counts of runs whose examples are all there."""
    if counts.empty:
        return counts
    counted = counts.groupby("run_id")["examples"].sum().reindex(finished.index, fill_value=0)
    wrong = finished.index[counted != finished["test_examples"]]
    missing += _told(file, "test examples", wrong.tolist())
    return counts[~counts["run_id"].isin(wrong)]


def _told(file: str, what: str, runs: Sequence[str]) -> list[str]:
    more = f" and {len(runs) - 3} more" if len(runs) > 3 else ""
    return [f"{file} lacks {what} of {', '.join(runs[:3])}{more}"] if len(runs) else []
