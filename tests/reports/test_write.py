from __future__ import annotations

import errno
from pathlib import Path

import pandas as pd
import pytest

from kdrun.errors import UserError
from kdrun.reports.write import write_report

MADE = {"comparison.csv", "class_gains.csv", "report.html", "report.md", "gain.png", "gain.svg"}


@pytest.fixture
def folder(tau_sweep, tmp_path: Path) -> Path:
    return tau_sweep.write(tmp_path / "night")


def _made(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.name not in ("runs.csv", "report.json")}


def test_a_report_is_written_whole_and_returned(folder: Path) -> None:
    table, missing = write_report(folder)
    assert missing == []
    assert set(_made(folder)) == MADE
    assert (folder / "gain.png").read_bytes().startswith(b"\x89PNG")
    written = pd.read_csv(folder / "comparison.csv")
    assert list(written.columns) == list(table.columns)
    assert written["gain_mean"].tolist() == table["gain_mean"].tolist()
    assert written["train_size"].dtype == int


def test_a_report_made_again_is_the_same_bytes(folder: Path) -> None:
    write_report(folder)
    first = _made(folder)
    write_report(folder)
    assert _made(folder) == first


def test_counts_that_are_unknown_stay_empty(runs, tmp_path: Path) -> None:
    folder = runs(seeds=2).point(0, missing=(0, 1), controls=(), epochs=62.5).write(tmp_path / "night")
    write_report(folder)
    written = pd.read_csv(folder / "comparison.csv").iloc[0]
    assert pd.isna(written["test_examples"])
    assert written["epochs"] == 62.5


def test_a_report_is_made_of_the_rows_that_are_there_and_says_what_is_missing(folder: Path) -> None:
    whole = write_report(folder).comparison
    path = folder / "runs.csv"
    path.write_text(path.read_text()[:-15])  # the last student, cut short
    table, missing = write_report(folder)
    (cut,) = missing
    assert cut == "row 80 of runs.csv is left out: it was cut short"
    assert (whole["n_seeds"].iloc[4], table["n_seeds"].iloc[4]) == (5, 4)
    assert table.iloc[:4]["gain_mean"].tolist() == whole.iloc[:4]["gain_mean"].tolist()
    for name in ("report.md", "report.html"):
        assert cut in (folder / name).read_text(encoding="utf-8").replace("\\", "")


def test_gains_by_class_are_written_for_the_point_that_is_shown_closely(tau_sweep, tmp_path: Path) -> None:
    folder = tau_sweep.write_details(tau_sweep.write(tmp_path / "night"))
    write_report(folder)
    written = pd.read_csv(folder / "class_gains.csv")
    assert set(written["point"]) == {2}
    assert len(written) == 10
    assert written["gain_mean"].mean() == pytest.approx(0.029, abs=0.004)  # counts are whole


def test_damaged_runs_leave_the_last_report_alone(folder: Path) -> None:
    write_report(folder)
    before = _made(folder)
    (folder / "runs.csv").write_text("point\n")
    with pytest.raises(UserError, match=r"runs\.csv is damaged"):
        write_report(folder)
    assert _made(folder) == before


def test_a_full_disk_is_one_line_and_leaves_no_half_file(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(UserError, match=r"the disk is full, could not write .*comparison\.csv; free some space"):
        write_report(folder)
    assert _made(folder) == {}
