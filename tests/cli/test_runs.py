"""`kdrun runs`."""

from __future__ import annotations

from pathlib import Path

from calling import TOY, Kdrun

from kdrun.runs.integrity import json_with_digest


def test_a_name_in_brackets_is_shown_as_it_is(kdrun: Kdrun, tmp_path: Path) -> None:
    folder = tmp_path / "outputs" / "runs" / "teacher-a-b-0"
    folder.mkdir(parents=True)
    (folder / "spec.json").write_bytes(json_with_digest({"title": "teacher [red]mlp[/]"}))
    assert "teacher [red]mlp[/]" in kdrun("runs").out


def test_a_dry_run_shows_a_terms_name_in_brackets_as_it_is(kdrun: Kdrun, tmp_path: Path) -> None:
    (tmp_path / "own" / "knowledge").mkdir(parents=True)
    (tmp_path / "own" / "knowledge" / "mine.yaml").write_text(
        "# @package knowledge\n'[red]':\n  _target_: kdrun.knowledge.response.LogitMSE\n  weight: 1.0\n"
    )
    shown = kdrun("distill", *TOY, "--config-dir", "own", "knowledge=mine", "--dry-run")
    assert "student mlp30 of mlp30, [red], seed 0" in shown.out
