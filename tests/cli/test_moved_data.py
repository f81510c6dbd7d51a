"""Data that were moved: the same command finds everything finished, and what it finds can be read back."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from calling import TOY, Kdrun
from pictures import chosen, photos

FEW = (*TOY[:2], *TOY[3:], "seeds=[0]", "controls=[class_mean]", "executor=lockstep")


@pytest.fixture
def moved(kdrun: Kdrun, tmp_path: Path) -> Path:
    """The folder of pictures that was moved after kdrun had trained on it."""
    photos(tmp_path / "old")
    done = kdrun("distill", *FEW, *chosen(tmp_path / "old"), "cache=table")
    assert done.code == 0, done.err
    return (tmp_path / "old").rename(tmp_path / "new")


def _runs(tmp_path: Path) -> dict[str, int]:
    """When each run was finished, by its id."""
    return {path.parent.name: path.stat().st_mtime_ns for path in tmp_path.glob("outputs/runs/*/result.json")}


def test_the_same_command_trains_nothing_and_reads_no_other_table(kdrun: Kdrun, moved: Path, tmp_path: Path) -> None:
    before, tables = _runs(tmp_path), sorted(tmp_path.glob("outputs/cache/table-*"))
    again = kdrun("distill", *FEW, *chosen(moved), "cache=table")
    assert again.code == 0, again.err
    assert len(before) == 4
    assert _runs(tmp_path) == before
    more = kdrun("distill", *FEW, *chosen(moved), "cache=table", "tau=2")
    assert more.code == 0, more.err
    assert len(_runs(tmp_path)) == 6
    assert sorted(tmp_path.glob("outputs/cache/table-*")) == tables
    assert len(tables) == 1


def test_other_pictures_at_the_new_place_are_another_data_set(kdrun: Kdrun, moved: Path, tmp_path: Path) -> None:
    picture = moved / "cats" / "0.png"
    picture.write_bytes((moved / "dogs" / "0.png").read_bytes())
    before = _runs(tmp_path)
    assert kdrun("distill", *FEW, *chosen(moved)).code == 0
    assert len(_runs(tmp_path)) == 2 * len(before)


def test_runs_are_explained_once_the_command_was_typed_again(kdrun: Kdrun, moved: Path, tmp_path: Path) -> None:
    lost = kdrun("explain", "student")
    assert lost.code == 2
    assert lost.err.startswith("Error: cannot read the data of student-mlp30-image_folder-")
    assert lost.err.endswith(
        f": there is no folder {tmp_path}/old; if they were moved, type data_root=DIR, or once more the command that "
        "made the run, with their new place (it trains nothing anew)\n"
    )
    assert kdrun("distill", *FEW, *chosen(moved)).code == 0
    shown = kdrun("explain", "student")
    assert shown.code == 0, shown.err


def test_what_was_noted_when_a_run_began_is_kept(kdrun: Kdrun, moved: Path, tmp_path: Path) -> None:
    def described() -> dict[str, dict[str, object]]:
        return {path.parent.name: json.loads(path.read_text()) for path in tmp_path.glob("outputs/runs/*/spec.json")}

    before = described()
    assert kdrun("distill", *FEW, *chosen(moved), "--dry-run").code == 0
    assert described() == before
    assert kdrun("distill", *FEW, *chosen(moved)).code == 0
    for run, now in described().items():
        assert now["dataset"]["source"].pop("folder") == str(moved)
        assert before[run]["dataset"]["source"].pop("folder") == str(tmp_path / "old")
        assert now.pop("sha256") != before[run].pop("sha256")
        assert now == before[run]
    assert {one["teacher_signals"] for one in before.values() if one["teacher"]} == {"table"}


def test_a_finished_run_teaches_from_the_new_place(kdrun: Kdrun, moved: Path, tmp_path: Path) -> None:
    teacher = next(run for run in _runs(tmp_path) if run.startswith("teacher"))
    taught = kdrun("distill", *FEW, *chosen(moved), f"teachers=[{teacher}]", "tau=3", "cache=off")
    assert taught.code == 0, taught.err
    assert len(_runs(tmp_path)) == 6


def test_a_data_root_may_move_with_all_that_is_in_it(kdrun: Kdrun, tmp_path: Path) -> None:
    photos(tmp_path / "here" / "pictures")
    own = (*FEW, *chosen(Path("pictures")))
    assert kdrun("distill", *own, f"data_root={tmp_path / 'here'}").code == 0
    before = _runs(tmp_path)
    (tmp_path / "here").rename(tmp_path / "there")
    assert kdrun("distill", *own, f"data_root={tmp_path / 'there'}").code == 0
    assert _runs(tmp_path) == before
    assert kdrun("explain", "student", f"data_root={tmp_path / 'there'}").code == 0
