from __future__ import annotations

from pathlib import Path

from calling import TOY, Kdrun

COMMAND = ("distill", *TOY, "teacher.specialists=2", "controls=[]", "seeds=[0]")


def test_the_report_shows_generalist_committee_and_both_students_and_names_the_classes(
    kdrun: Kdrun, tmp_path: Path
) -> None:
    done = kdrun(*COMMAND)
    assert (done.code, "Traceback" in done.err) == (0, False)
    for told in ("teacher mlp30 ", "teacher mlp30+2specialists ", "of the generalist ", "of the committee "):
        assert told in done.out
    (page,) = tmp_path.glob("outputs/reports/*/report.md")
    (note,) = [line for line in page.read_text().splitlines() if ": specialists in " in line]
    named = [name for classes in note.partition(": specialists in ")[2].split("; ") for name in classes.split(", ")]
    assert sorted(name.rstrip("\\") for name in named) == [f"class {number}" for number in range(4)]
    taught = kdrun("train-teacher", *COMMAND[1:])
    assert "teacher mlp30+2specialists on blobs" in taught.out
    (student, _) = sorted(tmp_path.glob("outputs/runs/student-*"))
    assert kdrun("explain", *TOY[:2], student.name, "--text").code == 0


def test_too_many_specialists_are_refused_before_anything_trains(kdrun: Kdrun, tmp_path: Path) -> None:
    for dry_run in ([], ["--dry-run"]):
        refused = kdrun("distill", *TOY, "teacher.specialists=3", *dry_run)
        assert (refused.code, refused.err.count("\n")) == (2, 1)
        assert "teacher.specialists must be at most half the classes, 2 of 4, got 3" in refused.err
    assert not list(tmp_path.glob("outputs/runs/*"))
