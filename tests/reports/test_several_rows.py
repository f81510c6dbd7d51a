"""Reports of points that have several rows: generations, peers, assistants, students with mended biases."""

from __future__ import annotations

import io
import math

import pytest
from rich.console import Console

from kdrun.reports.comparison import comparison
from kdrun.reports.markdown import markdown
from kdrun.reports.plot import gain_figure
from kdrun.reports.side_by_side import side_by_side
from kdrun.reports.side_by_side import table as side_by_side_table
from kdrun.reports.sides import read_side
from kdrun.reports.table import table
from kdrun.reports.wording import labels, records
from kdrun.reports.write import write_report

KINDS = ("generations", "peers", "assistants", "omitted")
NOTES = {"name": "night", "command": "kdrun distill", "created": "today", "version": "0"}


def _printed(shown) -> str:
    stream = io.StringIO()
    Console(width=80, file=stream).print(shown)
    return stream.getvalue()


@pytest.fixture
def text(read):
    """What a pipe of 80 columns gets."""
    return lambda built: _printed(table(comparison(read(built))))


def _words(text: str) -> str:
    return " ".join(text.split())


def test_rows_that_differ_in_their_variants_alone_are_called_by_these(new_kinds, read) -> None:
    names = {kind: gain_figure(comparison(read(new_kinds[kind]))).axes[0].get_yticklabels() for kind in KINDS}
    assert {kind: [label.get_text() for label in labels] for kind, labels in names.items()} == {
        "generations": ["label smoothing", "generation 1", "generation 2", "generation 3"],
        "peers": ["label smoothing", "peer 1", "peer 2", "peers' ensemble"],
        "assistants": ["label smoothing", "direct", "via mid"],
        "omitted": ["label smoothing", "kd tau=4 alpha=0.7", "offset, kd tau=4 alpha=0.7"],
    }


def test_sentences_say_which_row_and_what_it_learned_from(generations, text) -> None:
    words = _words(text(generations))
    assert "kd at tau 4, alpha 0.7 (generation 2) beats the hard-label baseline by 1.20" in words
    assert "The gain of kd at tau 4, alpha 0.7 (generation 1) over the hard-label baseline is not resolved" in words
    assert "Of 3 rows against the baseline: 2 better, 1 not resolved" in words


def test_a_teacher_for_each_seed_is_told_with_its_spread(generations, text) -> None:
    printed = text(generations)
    assert "teacher small of generation 1, trained on 3,500 examples: 89.20 ± 0.57 %" in printed.splitlines()
    assert "seeds of the student; each has its own teacher, and the split of the data is fixed." in _words(printed)


def test_rows_without_a_teacher_tell_of_none(peers, text, read) -> None:
    printed = text(peers)
    assert not [line for line in printed.splitlines() if line.startswith("teacher ")]
    assert "over the seeds of the student; the split of the data is fixed." in _words(printed)
    assert "The student: 60,000 parameters, 120 kFLOPs" in printed
    rows = comparison(read(peers))
    of_a_teacher = ("teacher_accuracy", "gap_recovered", "agreement", "compression", "speed_up", "speed_up_batch")
    assert all(math.isnan(value) for name in of_a_teacher for value in rows[name])


def test_students_that_were_put_together_have_epochs_and_time_of_their_parents(peers, text, read) -> None:
    assert "student small, trained on 1,000 examples for 20 epochs, 5 seeds" in text(peers)
    rows = comparison(read(peers))
    assert set(rows.loc[rows["role"] == "student", "train_seconds_mean"]) == {6.0}


def test_several_networks_against_one_are_said_to_be_larger(peers, text) -> None:
    assert "the one network that is its baseline" not in _words(text(peers))
    for row in peers.rows:
        if row["role"] == "student" and row["variant"] == "peers' ensemble":
            row["parameters"] = 120_000
    told = "kd at tau 4, alpha 0.7 (peers' ensemble) has 2x the parameters of the one network that is its baseline"
    assert _words(text(peers)).count("x the parameters of the one network") == 1
    assert told in _words(text(peers))


def test_several_teachers_stand_in_one_table(assistants, text) -> None:
    lines = text(assistants).splitlines()
    assert [line[:12].rstrip() for line in lines if line.startswith("teacher ")] == [
        *("teacher big,", "teacher mid,"),
        *("teacher big", "teacher mid"),
    ]
    assert [line.split()[-2:] for line in lines if line.startswith(("direct  ", "via mid *"))] == [
        ["19", "88.8"],
        ["62", "89.8"],
    ]


def test_costs_name_networks_and_teachers_where_sizes_differ(assistants, read) -> None:
    rows = comparison(read(assistants))
    rows.loc[rows["variant"] == "via mid", "teacher_parameters"] = 120_000
    words = _words(_printed(table(rows)))
    assert "The student small (direct), and in brackets the teacher big over the student: 60,000 parameters" in words
    assert "The student small (via mid), and in brackets the teacher mid over the student: 60,000 parameters" in words


def test_among_the_rows_of_a_point_validation_selects(omitted, text) -> None:
    assert "The validation part selects kd at tau 4, alpha 0.7 (offset) (marked *), with 91.00 %" in _words(
        text(omitted)
    )


def test_the_title_of_the_picture_names_no_teacher_where_there_is_none(peers, assistants, read) -> None:
    titles = [gain_figure(comparison(read(built))).get_suptitle() for built in (peers, assistants)]
    assert [title.splitlines()[0] for title in titles] == ["mnist5k: small", "mnist5k: small taught by 2 teachers"]


@pytest.mark.parametrize("kind", KINDS)
def test_every_form_of_the_report_can_be_made(kind: str, new_kinds, tmp_path) -> None:
    folder = new_kinds[kind].write_details(new_kinds[kind].write(tmp_path / kind))
    made = write_report(folder)
    page = (folder / "report.html").read_text()
    for shown in (markdown(made.comparison, NOTES, [0], []), page, _printed(table(made.comparison))):
        assert "nan" not in shown.lower().replace("finance", "")
    assert "Missing" not in page
    assert ("Learning curves" in page) is (kind != "peers")  # those learned in another run
    side = read_side(folder, "A")
    compared = _printed(side_by_side_table(side_by_side([side])))
    assert "nan" not in compared
    assert ("A teacher" in compared) is (kind != "peers")


def test_rows_that_would_be_called_the_same_are_told_apart(runs, read) -> None:
    built = runs().point(0).point(1, teacher="mid").point(2, student="tiny", baseline="tiny").point(3)
    rows = [row for row in records(comparison(read(built))) if row["role"] == "student"]
    assert labels(rows) == [
        "kd tau=4 alpha=0.7 (small) (big) #1",
        "kd tau=4 alpha=0.7 (small) (mid)",
        "kd tau=4 alpha=0.7 (tiny)",
        "kd tau=4 alpha=0.7 (small) (big) #2",
    ]


def test_a_schedule_stands_beside_its_number(runs, text) -> None:
    told = _words(text(runs(seeds=2).point(0, alpha_schedule="linear from 0", tau_schedule="cosine from 1")))
    assert "kd tau=4 (cosine 91" in told  # the line goes on below
    assert "kd at tau 4 (cosine from 1), alpha 0.7 (linear from 0)" in told
