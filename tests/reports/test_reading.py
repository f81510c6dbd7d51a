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
    read = read_runs(folder / "runs.csv").rows
    assert set(read["dataset"]) == {"NA"}
    assert set(read.loc[read["role"] != "control", "control"]) == {""}
    assert all(map(math.isnan, read["validation_accuracy"]))
    assert read["tau"].dtype == float


def test_large_seeds_are_read_exactly(runs, tmp_path: Path) -> None:
    built = runs(seeds=2).point(0)
    for row in built.rows:
        row["seed"] += 2**53
    read = read_runs(built.write(tmp_path / "large") / "runs.csv").rows
    assert sorted(set(read["seed"])) == [9007199254740992, 9007199254740993]


def test_columns_that_an_older_folder_lacks_are_empty(folder: Path) -> None:
    path = folder / "runs.csv"
    whole = pd.read_csv(path, dtype=str, keep_default_na=False)
    whole.drop(columns=["validation_id", "latency_batch_ms", "batch_size"]).to_csv(path, index=False)
    read = read_runs(path).rows
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


def _no_status(text: str) -> str:
    return text[: text.rindex(",")] + "\n"


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


def _too_many_cells(text: str) -> str:
    return text.replace("finished\n", "finished,1\n", 1)


@pytest.mark.parametrize(
    ("harm", "message", "rows_left"),
    [
        (_bad_number, "row 1 of runs.csv is left out: its test_examples is not a number: 'many'", 6),
        (_cut_short, "row 7 of runs.csv is left out: it was cut short", 6),
        (_no_status, "row 7 of runs.csv is left out: it has no status", 6),
        (_bad_seed, "row 1 of runs.csv is left out: its seed is not a whole number: '0.5'", 6),
        (_bad_role, "row 2 of runs.csv is left out: its role is 'bassline'", 6),
        (_twice, "a second student row for seed 1 at point 0 is left out", 7),
        (_unnamed_control, "row 3 of runs.csv is left out: it does not name its control", 6),
        (_too_many_cells, "row 1 of runs.csv is left out: it has more cells than the head", 6),
    ],
)
def test_a_damaged_row_is_left_out_and_named(folder: Path, harm, message: str, rows_left: int) -> None:
    path = folder / "runs.csv"
    path.write_text(harm(path.read_text()))
    read = read_runs(path)
    assert read.missing == [message]
    assert len(read.rows) == rows_left


def test_rows_that_are_gone_are_counted(folder: Path) -> None:
    path = folder / "runs.csv"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:-1]))
    assert read_runs(path, planned=7).missing == ["runs.csv has 6 of 7 rows"]


def test_a_point_that_lost_its_students_is_left_out(runs, tmp_path: Path) -> None:
    path = runs(seeds=2).point(0).point(1).write(tmp_path / "two") / "runs.csv"
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(line for line in lines if not line.startswith("1,student")))
    read = read_runs(path)
    assert set(read.rows["point"]) == {0}
    assert "point 1 of runs.csv is left out: it has no student row" in read.missing


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (_without_column, "no column test_accuracy"),
        (_no_student, "no student row"),
        (lambda text: "", "no rows"),
        (lambda text: text.splitlines(keepends=True)[0], "no rows"),
    ],
)
def test_a_file_of_which_nothing_can_be_used_is_refused(folder: Path, harm, message: str) -> None:
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
