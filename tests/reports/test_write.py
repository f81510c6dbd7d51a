from __future__ import annotations

import errno
from pathlib import Path

import pandas as pd
import pytest

from kdrun.errors import UserError
from kdrun.reports.write import write_report

MADE = {"comparison.csv", "report.md", "gain.png", "gain.svg"}


@pytest.fixture
def folder(tau_sweep, tmp_path: Path) -> Path:
    return tau_sweep.write(tmp_path / "night")


def _made(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.name not in ("runs.csv", "report.json")}


def test_a_report_is_written_whole_and_returned(folder: Path) -> None:
    table = write_report(folder)
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
