from __future__ import annotations

import math
from pathlib import Path

import pandas as pd
import pytest

from kdrun.errors import UserError
from kdrun.reports.reading import read_notes, read_runs


@pytest.fixture
def folder(runs, tmp_path: Path) -> Path:
    return runs(seeds=2).point(0, dataset="NA").write(tmp_path / "night")


def test_text_stays_text_and_empty_numbers_are_nan(folder: Path) -> None:
    read = read_runs(folder / "runs.csv")
    assert set(read["dataset"]) == {"NA"}
    assert set(read.loc[read["role"] != "control", "control"]) == {""}
    assert all(map(math.isnan, read["validation_accuracy"]))
    assert read["tau"].dtype == float


def test_large_seeds_are_read_exactly(runs, tmp_path: Path) -> None:
    built = runs(seeds=2).point(0)
    for row in built.rows:
        row["seed"] += 2**53
    read = read_runs(built.write(tmp_path / "large") / "runs.csv")
    assert sorted(set(read["seed"])) == [9007199254740992, 9007199254740993]


def test_columns_that_an_older_folder_lacks_are_empty(folder: Path) -> None:
    path = folder / "runs.csv"
    whole = pd.read_csv(path, dtype=str, keep_default_na=False)
    whole.drop(columns=["validation_id", "latency_batch_ms", "batch_size"]).to_csv(path, index=False)
    read = read_runs(path)
    assert set(read["validation_id"]) == {""}
    assert read[["latency_batch_ms", "batch_size"]].isna().all(axis=None)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"runs\.csv is missing: run the command"):
        read_runs(tmp_path / "runs.csv")
    with pytest.raises(UserError, match=r"report\.json is missing: run the command"):
        read_notes(tmp_path / "report.json")


def _without_column(text: str) -> str:
    return text.replace("test_accuracy", "accuracy", 1)


def _bad_number(text: str) -> str:
    return text.replace(",1500,", ",many,", 1)


def _cut_short(text: str) -> str:
    return text[: len(text) - 10]


def _bad_seed(text: str) -> str:
    return text.replace("0,teacher,,0,", "0,teacher,,0.5,", 1)


def _bad_role(text: str) -> str:
    return text.replace("baseline", "bassline", 1)


def _twice(text: str) -> str:
    return text + text.splitlines(keepends=True)[-1]


def _no_student(text: str) -> str:
    return "".join(line for line in text.splitlines(keepends=True) if ",student," not in line or "point" in line)


def _unnamed_control(text: str) -> str:
    return text.replace("control,label_smoothing", "control,", 1)


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (_without_column, "no column test_accuracy"),
        (_bad_number, "test_examples of row 1 is not a number: 'many'"),
        (_cut_short, "row 7 has no status"),
        (_bad_seed, "seed of row 1 is not a whole number: '0.5'"),
        (_bad_role, "role of row 2 is 'bassline'"),
        (_twice, "two student rows for seed 1 at point 0"),
        (_no_student, "no student row at point 0"),
        (_unnamed_control, "a control row does not name its control"),
        (lambda text: "", "No columns to parse from file"),
        (lambda text: text.splitlines(keepends=True)[0], "no student row"),
        (lambda text: text + '"', "damaged"),
    ],
)
def test_damaged_runs_are_refused_with_what_is_wrong(folder: Path, harm, message: str) -> None:
    path = folder / "runs.csv"
    path.write_text(harm(path.read_text()))
    with pytest.raises(UserError, match=r"runs\.csv is damaged") as caught:
        read_runs(path)
    assert message in caught.value.message
    assert "\n" not in caught.value.message


@pytest.mark.parametrize("text", ["", "{", "[]", '{"name": "night"}', "\udcff"])
def test_damaged_notes_are_refused(folder: Path, text: str) -> None:
    path = folder / "report.json"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(UserError, match=r"report\.json is damaged"):
        read_notes(path)
