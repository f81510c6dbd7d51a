"""The two files that a report needs, read and checked; a row that cannot be used is left out and named."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

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
SCHEDULES = ("tau_schedule", "alpha_schedule")
MADE_WITH = ("hardware", "threads", "kdrun", "commit", "torch", "python", "system")
# Columns that folders of earlier versions lack.
LATER_TEXT = (*SCHEDULES, "validation_id", "variant", "special_classes", "transfer", "omitted", "offsets", *MADE_WITH)
LATER_NUMBERS = (
    "latency_batch_ms",
    "batch_size",
    "label_weight",
    "labelled_examples",
    "omitted_examples",
    "omitted_errors",
    "offset_images",
    "own_epochs",
)
FILLED = ("point", "role", "seed", "status")
ROLES = ("teacher", "baseline", "control", "student")
NOTES = ("name", "command", "created", "version")
CUT = "\n"  # no column is called so
REMEDY = "run the command that made the report again"


class Read(NamedTuple):
    """Rows of a file, and a line for each thing that it lacks."""

    rows: pd.DataFrame
    missing: list[str]


def read_runs(path: Path, planned: int | None = None) -> Read:
    """The rows of `runs.csv`: one for each use of a run at a point.

    path: the file. Text columns come back as text ("" where empty), the others as numbers (NaN where empty);
        points and seeds exactly, however large. Columns that came later are empty where a file lacks them.
    planned: how many rows were written, where that is known.
    Raises UserError naming the file where it is missing, or nothing of it can be used.
    """
    written = _written(path)
    missing = [] if planned in (None, len(written)) else [f"runs.csv has {len(written)} of {planned} rows"]
    rows: list[dict[str, Any]] = []
    for number, row in enumerate(written, 1):
        try:
            rows.append(_row(row))
        except ValueError as error:
            missing.append(f"row {number} of runs.csv is left out: {error}")
    used, refused = _consistent(rows)
    if not used:
        raise _damaged(path, "; ".join([*missing, *refused, "no student row"][:2]))
    runs = pd.DataFrame(used, columns=[*TEXT, *WHOLE, *NUMBERS, *LATER_TEXT, *LATER_NUMBERS])
    return Read(runs.astype(dict.fromkeys(NUMBERS + LATER_NUMBERS, float)), [*missing, *refused])


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


def _written(path: Path) -> list[dict[str, Any]]:
    try:
        text = path.read_bytes().decode()
        rows: list[dict[str, Any]] = list(csv.DictReader(io.StringIO(text, newline="")))
    except FileNotFoundError:
        raise UserError(f"{path} is missing: {REMEDY}") from None
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise _damaged(path, str(error)) from error
    if not rows:
        raise _damaged(path, "no rows")
    if not text.endswith("\n"):
        rows[-1][CUT] = True  # its last number may have lost digits
    absent = [name for name in TEXT + WHOLE + NUMBERS if name not in rows[0]]
    if absent:
        raise _damaged(path, f"no column {', '.join(absent)}")
    return rows


def _row(written: Mapping[str, Any]) -> dict[str, Any]:
    """A row's values; ValueError says what is wrong with it. Nothing stands in a row that was cut short."""
    if CUT in written:
        raise ValueError("it was cut short")
    if None in written:
        raise ValueError("it has more cells than the head")
    row = {name: value or "" for name, value in written.items()}
    for name in FILLED:
        if row[name].lower() in ("", "nan"):
            raise ValueError(f"it has no {name}")
    if row["role"] not in ROLES:
        raise ValueError(f"its role is {row['role']!r}")
    if row["role"] == "control" and not row["control"]:
        raise ValueError("it does not name its control")
    return (
        {name: row.get(name, "") for name in TEXT + LATER_TEXT}
        | {name: _whole(name, row[name]) for name in WHOLE}
        | {name: _number(name, row.get(name, "")) for name in NUMBERS + LATER_NUMBERS}
    )


def _number(name: str, text: str) -> float:
    try:
        return float(text or "nan")
    except ValueError:
        raise ValueError(f"its {name} is not a number: {text!r}") from None


def _whole(name: str, text: str) -> int:
    """Whole numbers, never by way of a float: seeds beyond 2**53 would collide."""
    if not re.fullmatch(r"-?[0-9]+(\.0*)?", text):
        raise ValueError(f"its {name} is not a whole number: {text!r}")
    return int(text.partition(".")[0])


def _consistent(rows: Sequence[dict[str, Any]]) -> tuple[list[dict[str, Any]], list[str]]:
    """The rows of points that have a student, each run in a role once; and a line for each that is left out."""
    points = dict.fromkeys(row["point"] for row in rows)
    taught = {row["point"] for row in rows if row["role"] == "student"}
    refused = [
        f"point {point} of runs.csv is left out: it has no student row" for point in points if point not in taught
    ]
    used: dict[tuple[Any, ...], dict[str, Any]] = {}
    for row in rows:
        if row["point"] not in taught:
            continue
        key = (row["point"], row["role"], row["control"], row["seed"], row["run_id"] * (row["role"] == "teacher"))
        if key in used:
            refused.append(f"a second {row['role']} row for seed {row['seed']} at point {row['point']} is left out")
        used.setdefault(key, row)
    return list(used.values()), refused


def _damaged(path: Path, why: str) -> UserError:
    return UserError(f"{path} is damaged ({' '.join(why.split())}): {REMEDY}")
