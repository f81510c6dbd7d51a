"""What the displays show of groups of runs: few lines, however many runs train at once."""

from __future__ import annotations

import io

import pytest
from carrying import plan
from rich.console import Console

from kdrun.cli import progress
from kdrun.cli.progress import Live, Plain, Progress
from kdrun.runs.spec import RunSpec
from kdrun.training.learner import Position


def _row(epoch: int, loss: float, accuracy: float) -> dict[str, float]:
    return {"epoch": epoch, "train_loss": loss, "validation_accuracy": accuracy}


def _rows(specs: list[RunSpec], epoch: int) -> dict[RunSpec, dict[str, float]]:
    return {spec: _row(epoch, 0.5 + number, 0.9 + number / 100) for number, spec in enumerate(specs)}


RESULT = {"test_accuracy": 0.9125, "train_seconds": 1.25}


def test_without_a_terminal_a_group_has_one_line_each_run_has_one_and_epochs_have_one(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "PLAIN_EVERY_S", 0.0)
    teacher, *students = plan("tau=1,8", "controls=[]")
    with Plain(total=4) as shown:
        shown.started([teacher], 3, Position(0, 0))
        shown.finished(teacher, RESULT)
        shown.started(students, 3, Position(1, 2))
        shown.epoch(_rows(students, 2))
        shown.failed(students[2], "it could not be")
        shown.epoch(_rows(students[:1], 3))
        shown.finished(students[0], RESULT)
    assert capsys.readouterr().err.splitlines() == [
        "[1/4] teacher mlp30, seed 0: 3 epochs",
        "  teacher mlp30, seed 0: test accuracy 91.25 %, 1.2 s",
        "[2-4/4] 3 runs side by side: 3 epochs, goes on in epoch 2",
        "  3 runs side by side: epoch 2/3, loss 0.5000 to 2.5000, validation 90.00 to 92.00 %",
        "  it could not be",
        "  baseline mlp30, seed 0: epoch 3/3, loss 0.5000, validation 90.00 %",
        "  baseline mlp30, seed 0: test accuracy 91.25 %, 1.2 s",
    ]


def _lines_while(shown: Progress, console: Console) -> int:
    """Height of the live display."""
    assert isinstance(shown, Live)
    return len(console.render_lines(shown._bars.get_renderable()))


def test_on_a_terminal_twenty_runs_are_two_lines_and_a_group_leaves_with_its_last_run() -> None:
    console = Console(file=io.StringIO(), force_terminal=True, width=150)
    specs = plan("tau=range(1,19)")[1:]
    assert len(specs) == 20
    with Live(console, len(specs)) as shown:
        assert _lines_while(shown, console) == 1
        shown.started(specs, 3, Position(0, 0))
        shown.epoch(_rows(specs, 1))
        assert _lines_while(shown, console) == 2
        for spec in specs[:-1]:
            shown.finished(spec, RESULT)
        assert _lines_while(shown, console) == 2
        shown.failed(specs[-1], "it could not be")
        assert _lines_while(shown, console) == 1


def test_on_a_terminal_runs_that_begin_again_elsewhere_leave_their_old_line() -> None:
    console = Console(file=io.StringIO(), force_terminal=True, width=150)
    specs = plan("tau=1,8")[1:]
    with Live(console, len(specs)) as shown:
        shown.started(specs, 3, Position(0, 0))
        for spec in specs[:2]:
            shown.started([spec], 3, Position(0, 0))
        assert _lines_while(shown, console) == 4
        shown.started(specs[2:], 3, Position(0, 0))
        assert _lines_while(shown, console) == 4


def test_a_table_that_takes_long_shows_how_far_it_is(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "PLAIN_EVERY_S", 0.0)
    with Plain(total=1) as shown:
        shown.filling(1000, 25000)
        shown.remarked("a file is damaged")
    assert capsys.readouterr().err.splitlines() == [
        "  teacher's table: 1,000 of 25,000 forward passes",
        "  a file is damaged",
    ]
    console = Console(file=io.StringIO(), force_terminal=True, width=150)
    with Live(console, 1) as live:
        live.filling(1000, 25000)
        assert _lines_while(live, console) == 2
        live.filling(25000, 25000)
        assert _lines_while(live, console) == 1
