"""The files beside runs.csv: whole, cut, damaged, missing."""

from __future__ import annotations

from pathlib import Path

import pytest

from kdrun.reports.details import Details, read_details
from kdrun.reports.reading import read_runs


@pytest.fixture
def folder(runs, tmp_path: Path) -> Path:
    built = runs(seeds=2).point(0)
    return built.write_details(built.write(tmp_path / "night"))


def _read(folder: Path) -> Details:
    return read_details(folder, read_runs(folder / "runs.csv").rows)


def test_whole_files_lack_nothing(folder: Path) -> None:
    details = _read(folder)
    assert details.missing == []
    assert len(details.curves) == 7 * 20
    assert details.confusion.groupby("run_id")["examples"].sum().tolist() == [1500] * 7


def test_a_missing_file_is_named_with_what_it_would_show(folder: Path) -> None:
    (folder / "curves.csv").unlink()
    (folder / "classes.csv").unlink()  # folders of earlier versions have none
    details = _read(folder)
    assert details.curves.empty
    assert details.missing == ["curves.csv is missing, so there are no learning curves: run the command again"]


def test_a_file_that_was_cut_loses_its_last_line_and_the_runs_that_are_not_whole(folder: Path) -> None:
    for name in ("curves.csv", "confusion.csv"):
        text = (folder / name).read_text()
        (folder / name).write_text(text[:-2])
    details = _read(folder)
    assert details.missing == [
        "curves.csv: 1 damaged row is left out",
        "curves.csv lacks epochs of student-0-1",
        "confusion.csv: 1 damaged row is left out",
        "confusion.csv lacks test examples of student-0-1",
    ]
    assert (details.curves["run_id"] == "student-0-1").sum() == 19
    assert "student-0-1" not in set(details.confusion["run_id"])
    assert "student-0-0" in set(details.confusion["run_id"])


def test_a_damaged_cell_costs_its_row(folder: Path) -> None:
    text = (folder / "reliability.csv").read_text()
    (folder / "reliability.csv").write_text(text.replace(",310.0", ",3x0", 1))
    curves = (folder / "curves.csv").read_text()
    (folder / "curves.csv").write_text(curves.replace(",2,1.0,0.", ",2,1.0,O.", 1))  # a column that may be empty
    details = _read(folder)
    assert "curves.csv: 1 damaged row is left out" in details.missing
    assert "reliability.csv: 1 damaged row is left out" in details.missing
    assert len(details.reliability) == 2 * 6


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00", b"run_id,epoch\n", b"a,b\n1,2\n", b'run_id,epoch\n"x'])
def test_a_file_without_use_leaves_the_others(folder: Path, content: bytes) -> None:
    (folder / "curves.csv").write_bytes(content)
    details = _read(folder)
    assert details.curves.empty
    assert len(details.confusion) > 0
    assert details.missing
    assert all("\n" not in line for line in details.missing)
