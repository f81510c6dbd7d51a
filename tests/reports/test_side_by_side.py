"""Reports side by side: what is set against what, and what is written."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from kdrun.errors import UserError
from kdrun.reports.side_by_side import SideBySide, side_by_side, table, write_side_by_side
from kdrun.reports.sides import read_side


def _described(runs: Any, epochs: int = 20) -> dict[str, Any]:
    """What report.json says of each run, as the planner writes it."""
    return {
        row["run_id"]: {"data_seed": row["seed"], "model": {"name": row["student"]}, "recipe": {"epochs": epochs}}
        for row in runs.rows
    }


def _report(runs: Any, folder: Path, prefix: str, epochs: int = 20) -> Path:
    for row in runs.rows:
        row["run_id"] = f"{prefix}-{row['run_id']}"
    return Path(runs.write(folder / prefix, runs=_described(runs, epochs)))


def _compared(*folders: Path) -> SideBySide:
    return side_by_side([read_side(folder, letter) for folder, letter in zip(folders, "ABCD", strict=False)])


def _verdicts(compared: SideBySide) -> dict[str, str]:
    return {
        f"{line.entry.side} {line.entry.name}": "; ".join(line.pairing.refusals) or line.pairing.gain.verdict
        for line in compared.lines
        if line.pairing is not None
    }


def _text(compared: SideBySide, width: int = 100) -> str:
    console = Console(file=io.StringIO(), width=width)
    console.print(table(compared))
    return console.file.getvalue()  # type: ignore[attr-defined, no-any-return]


def test_the_students_of_later_reports_stand_against_that_of_the_first(runs: Any, tmp_path: Path) -> None:
    first = _report(runs().point(gain=0.01), tmp_path, "a")
    second = _report(runs().point(gain=0.03), tmp_path, "b")
    third = _report(runs().point(gain=0.05), tmp_path, "c", epochs=30)
    compared = _compared(first, second, third)
    assert _verdicts(compared) == {
        "B kd tau=4 alpha=0.7": "not resolved",
        "C kd tau=4 alpha=0.7": "budget: epochs 30 against 20",
    }
    (gain,) = [line.pairing.gain for line in compared.lines if line.entry.side == "B" and line.pairing]
    assert (gain.n, gain.mean) == (5, pytest.approx(0.02))
    roles = [line.entry.role for line in compared.lines if line.entry.side == "A"]
    assert roles == ["teacher", "baseline", "control", "student"]


def test_of_several_points_the_selected_one_leads(runs: Any, tau_sweep: Any, tmp_path: Path) -> None:
    first = _report(tau_sweep, tmp_path, "a")
    second = _report(runs().point(gain=0.03), tmp_path, "b")
    compared = _compared(first, second)
    side = compared.sides[0]
    assert side.lead is not None
    assert side.entries[side.lead].name == "kd tau=4"
    assert "A kd tau=4 *" in _text(compared)
    assert "* is what validation selects" in _text(compared)
    assert list(_verdicts(_compared(second, first))) == [f"B kd tau={tau}" for tau in (1, 2, 4, 8, 16)]


def test_nothing_is_paired_where_the_first_report_selects_no_point(runs: Any, tmp_path: Path) -> None:
    many = runs().point(0, overrides="tau=1", tau=1).point(1, overrides="tau=2", tau=2)
    compared = _compared(_report(many, tmp_path, "a"), _report(runs().point(), tmp_path, "b"))
    assert _verdicts(compared) == {}
    assert "nothing is paired: A has 2 points and selects none on validation" in " ".join(_text(compared).split())


def test_the_csv_has_a_row_an_entry_with_both_gains_or_the_reason(runs: Any, tmp_path: Path) -> None:
    first = _report(runs().point(gain=0.01), tmp_path, "a")
    second = _report(runs().point(gain=0.03, missing=(1,)), tmp_path, "b")
    third = _report(runs().point(gain=0.03, train_size=500), tmp_path, "c")
    write_side_by_side(_compared(first, second, third), tmp_path / "out")
    with (tmp_path / "out" / "side_by_side.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["role"] == "student"]
    assert [row["side"] for row in rows] == ["A", "B", "C"]
    assert [row["seeds"] for row in rows] == ["0 1 2 3 4", "0 2 3 4", "0 1 2 3 4"]
    assert [row["n_pairs"] for row in rows] == ["", "4", "0"]
    assert float(rows[1]["gain_mean"]) == pytest.approx(0.02)
    assert float(rows[1]["gain_over_baseline_mean"]) == pytest.approx(0.03 + (0.004 + 0.001 - 0.004 + 0.002) / 4)
    assert rows[2]["not_paired_because"] == "training examples 500 against 1,000"
    assert (rows[2]["gain_mean"], rows[2]["verdict"], rows[2]["train_examples"]) == ("", "no pair", "500")


def test_names_are_text_in_every_form(runs: Any, tmp_path: Path) -> None:
    evil = "<b>|[red]x\x1b[31m"
    first = _report(runs().point(knowledge=evil), tmp_path, "a")
    second = _report(runs().point(gain=0.01), tmp_path, "b")
    compared = _compared(first, second)
    assert "<b>|[red]x?" in _text(compared, width=140)
    write_side_by_side(compared, tmp_path / "out")
    page = (tmp_path / "out" / "side_by_side.md").read_text()
    assert r"\<b\>\|\[red\]x?" in page
    assert "\x1b" not in page


def test_a_report_of_an_earlier_version_is_shown_and_not_paired(runs: Any, tmp_path: Path) -> None:
    first, second = _report(runs().point(), tmp_path, "a"), _report(runs().point(), tmp_path, "b")
    notes = json.loads((second / "report.json").read_text())
    del notes["runs"]
    (second / "report.json").write_text(json.dumps(notes))
    (refusal,) = _verdicts(_compared(first, second)).values()
    assert "does not say what its runs are" in refusal


def test_a_folder_that_is_neither_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is no report and no finished run"):
        read_side(tmp_path, "A")
