"""The two files that a report is made from, read and checked."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd

from kdrun.errors import UserError

TEXT = (
    "role",
    "control",
    "run_id",
    "dataset",
    "teacher",
    "student",
    "knowledge",
    "mode",
    "overrides",
    "device",
    "precision",
    "status",
)
WHOLE = ("point", "seed")
NUMBERS = (
    "tau",
    "alpha",
    "train_size",
    "teacher_train_size",
    "epochs",
    "test_accuracy",
    "test_nll",
    "test_ece",
    "test_examples",
    "validation_accuracy",
    "agreement",
    "parameters",
    "flops",
    "latency_ms",
    "train_seconds",
)
LATER_TEXT = ("validation_id",)  # columns that folders of earlier versions lack
LATER_NUMBERS = ("latency_batch_ms", "batch_size")
FILLED = ("point", "role", "seed", "status")
ROLES = ("teacher", "baseline", "control", "student")
NOTES = ("name", "command", "created", "version")
REMEDY = "run the command that made the report again"


def read_runs(path: Path) -> pd.DataFrame:
    """The rows of `runs.csv`: one for each use of a run at a point.

    path: the file. Text columns come back as text ("" where empty), the others as numbers (NaN where empty);
        points and seeds exactly, however large. Columns that came later are empty where a file lacks them.
    Raises UserError naming the file where it is missing, cut short or not what a report needs.
    """
    try:
        raw = pd.read_csv(path, dtype=str, keep_default_na=False)
    except FileNotFoundError:
        raise UserError(f"{path} is missing: {REMEDY}") from None
    except (OSError, UnicodeDecodeError, pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise _damaged(path, str(error)) from error
    absent = [name for name in TEXT + WHOLE + NUMBERS if name not in raw.columns]
    if absent:
        raise _damaged(path, f"no column {', '.join(absent)}")
    later = dict.fromkeys(set(LATER_TEXT + LATER_NUMBERS) - set(raw.columns), "")
    runs = raw.fillna("").assign(**later)  # nothing stands in a row that was cut short
    _check_filled(path, runs)
    for name in WHOLE:
        runs[name] = _whole(path, runs[name])
    for name in NUMBERS + LATER_NUMBERS:
        runs[name] = _numbers(path, runs[name])
    _check(path, runs)
    return runs


def read_notes(path: Path) -> dict[str, Any]:
    """What `report.json` says of the report: name, command, created, version, and whatever else stands there.

    Raises UserError naming the file where it is missing or damaged.
    """
    try:
        notes = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{path} is missing: {REMEDY}") from None
    except (OSError, ValueError) as error:
        raise _damaged(path, str(error)) from error
    if not isinstance(notes, dict):
        raise _damaged(path, "not a JSON object")
    absent = [name for name in NOTES if not isinstance(notes.get(name), str)]
    if absent:
        raise _damaged(path, f"no text for {', '.join(absent)}")
    return notes


def _numbers(path: Path, column: pd.Series) -> pd.Series:
    numbers = pd.to_numeric(column.replace("", "nan"), errors="coerce")
    wrong = column[numbers.isna() & ~column.str.lower().isin(["", "nan"])]
    if len(wrong):
        raise _damaged(path, f"{column.name} of row {wrong.index[0] + 1} is not a number: {wrong.iloc[0]!r}")
    return numbers.astype(float)


def _whole(path: Path, column: pd.Series) -> pd.Series:
    """Whole numbers, never by way of a float: seeds beyond 2**53 would collide."""
    wrong = column[~column.str.fullmatch(r"-?[0-9]+(\.0*)?")]
    if len(wrong):
        raise _damaged(path, f"{column.name} of row {wrong.index[0] + 1} is not a whole number: {wrong.iloc[0]!r}")
    return pd.Series([int(text.partition(".")[0]) for text in column], index=column.index)


def _check_filled(path: Path, runs: pd.DataFrame) -> None:
    for name in FILLED:
        empty = runs.index[runs[name].str.lower().isin(["", "nan"])]
        if len(empty):
            raise _damaged(path, f"row {empty[0] + 1} has no {name}")


def _check(path: Path, runs: pd.DataFrame) -> None:
    unknown = runs.loc[~runs["role"].isin(ROLES), "role"]
    if len(unknown):
        raise _damaged(path, f"role of row {unknown.index[0] + 1} is {unknown.iloc[0]!r}")
    alone = set(runs["point"]) - set(runs.loc[runs["role"] == "student", "point"])
    if alone or runs.empty:
        raise _damaged(path, f"no student row at point {min(alone, default=0)}")
    if (runs.loc[runs["role"] == "control", "control"] == "").any():
        raise _damaged(path, "a control row does not name its control")
    by_seed = runs[runs["role"] != "teacher"]
    twice = by_seed[by_seed.duplicated(["point", "role", "control", "seed"])]
    if len(twice):
        row = twice.iloc[0]
        raise _damaged(path, f"two {row['role']} rows for seed {row['seed']} at point {row['point']}")


def _damaged(path: Path, why: str) -> UserError:
    return UserError(f"{path} is damaged ({' '.join(why.split())}): {REMEDY}")
