"""What the displays show of a plan: few lines, however many runs train at once."""

from __future__ import annotations

import io
import json

import pytest
from carrying import plan
from rich.console import Console

from kdrun.cli import plain, words
from kdrun.cli.json_lines import JsonLines, tell
from kdrun.cli.live import Live
from kdrun.cli.plain import Plain
from kdrun.cli.progress import Progress
from kdrun.cli.tally import Length, Tally
from kdrun.experiment.several import Several
from kdrun.runs.spec import RunSpec
from kdrun.training.learner import Position

RESULT = {"test_accuracy": 0.9125, "train_seconds": 1.25}


def _row(epoch: int, loss: float, accuracy: float) -> dict[str, float]:
    return {"epoch": epoch, "train_loss": loss, "validation_accuracy": accuracy}


def _rows(specs: list[RunSpec], epoch: int) -> dict[RunSpec, dict[str, float]]:
    return {spec: _row(epoch, 0.5 + number, 0.9 + number / 100) for number, spec in enumerate(specs)}


def _tally(specs: list[RunSpec], before: int = 0) -> Tally:
    """On a clock that stands still."""
    return Tally(dict.fromkeys(specs, Length(3, 5)), before, clock=lambda: 0.0)


def _console(width: int = 100) -> Console:
    return Console(file=io.StringIO(), force_terminal=True, width=width)


def _lines(shown: Live, console: Console) -> list[str]:
    rendered = console.render_lines(shown.rendered(), pad=False)
    return ["".join(segment.text for segment in line).rstrip() for line in rendered]


def test_without_a_terminal_a_group_has_one_line_each_run_has_one_and_epochs_have_one(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plain, "EVERY_S", 0.0)
    teacher, *students = plan("tau=1,8", "controls=[]")
    tally = _tally([teacher, *students], before=2)
    with Plain(tally) as shown:
        told = Several([tally, shown])
        told.started([teacher], 3, Position(0, 0))
        told.finished(teacher, RESULT)
        told.started(students, 3, Position(1, 2))
        told.filling(1200, 3500)
        told.epoch(_rows(students, 2))
        told.failed(students[2], "it could not be")
        told.epoch(_rows(students[:1], 3))
        told.finished(students[0], RESULT)
        told.remarked("by the way")
    assert capsys.readouterr().err.splitlines() == [
        "[3/6] teacher mlp30, seed 0: 3 epochs",
        "  teacher mlp30, seed 0: test accuracy 91.25 %, 1.2 s",
        "[4-6/6] 3 runs side by side: 3 epochs, goes on in epoch 2",
        "  asking the teacher beforehand: 1,200/3,500",
        "  3 runs side by side: epoch 2/3, loss 0.5000 to 2.5000, validation 90.00 to 92.00 %, about 0:00 left",
        "  it could not be",
        "  baseline mlp30, seed 0: epoch 3/3, loss 0.5000, validation 90.00 %, about 0:00 left",
        "  baseline mlp30, seed 0: test accuracy 91.25 %, 1.2 s",
        "by the way",
    ]


@pytest.mark.parametrize("width", [60, 100, 200])
def test_on_a_terminal_forty_runs_are_four_lines_that_fit(width: int) -> None:
    console = _console(width)
    specs = plan("tau=range(1,39)")[1:]
    assert len(specs) == 40
    tally = _tally(specs, before=1)
    with Live(console, tally) as shown:
        told = Several([tally, shown])
        told.started(specs[:10], 3, Position(0, 0))
        told.epoch(_rows(specs[:10], 1))
        bar, counts, header, group = _lines(shown, console)
    assert bar.endswith("8 %  about 0:00 left")
    assert counts == "41 runs: 1 done, 10 running, 30 left"
    assert header.split() == ["in", "training", "epoch", "loss", "validation", "%"]
    assert group.split("  ")[0] == "10 runs side by side"
    assert "1/3  0.500–9.500  90.00–99.00" in group
    assert max(map(len, (bar, counts, header, group))) <= min(width, 80)


def test_a_long_title_is_cut_and_the_numbers_stay() -> None:
    console = _console(60)
    (student,) = plan("controls=[]", "knowledge=[response/kd,response/dkd,relation/rkd]")[2:]
    tally = _tally([student])
    with Live(console, tally) as shown:
        told = Several([tally, shown])
        told.started([student], 3, Position(0, 0))
        told.epoch(_rows([student], 2))
        group = _lines(shown, console)[-1]
    assert group.startswith("student mlp30 of mlp30, kd")
    assert "…" in group
    assert group.endswith("2/3  0.500  90.00")
    assert len(group) <= 60


def test_a_group_leaves_with_its_last_run_and_a_failure_is_shown_above() -> None:
    console = _console()
    specs = plan("tau=1,8", "controls=[]")[1:]
    tally = _tally(specs)
    with Live(console, tally) as shown:
        told = Several([tally, shown])
        assert len(_lines(shown, console)) == 2
        told.started(specs, 3, Position(0, 0))
        for spec in specs[:-1]:
            told.finished(spec, RESULT)
        assert len(_lines(shown, console)) == 4
        told.failed(specs[-1], "it [could] not be")
        assert _lines(shown, console)[1:] == ["3 runs: 2 done, 0 running, 0 left, 1 failed"]
    assert "it [could] not be" in console.file.getvalue()  # type: ignore[attr-defined]


def test_where_one_of_a_group_begins_again_the_old_line_is_gone_and_those_that_wait_have_none() -> None:
    console = _console()
    specs = plan("tau=1,8")[1:]
    tally = _tally(specs)
    with Live(console, tally) as shown:
        told = Several([tally, shown])
        told.started(specs, 3, Position(0, 0))
        for spec in specs[:2]:
            told.started([spec], 3, Position(0, 0))
        assert len(_lines(shown, console)) == 3 + 2
        assert _lines(shown, console)[1] == f"{len(specs)} runs: 0 done, 2 running, {len(specs) - 2} left"
        told.started(specs[2:], 3, Position(0, 0))
        assert len(_lines(shown, console)) == 3 + 3


def test_many_groups_at_once_are_counted_beyond_a_dozen() -> None:
    console = _console()
    specs = plan("tau=range(1,39)")[1:]
    tally = _tally(specs)
    with Live(console, tally) as shown:
        for spec in specs:
            shown.started([spec], 3, Position(0, 0))
        lines = _lines(shown, console)
    assert len(lines) == 3 + 12 + 1
    assert lines[-1] == "and 28 more"


def test_asking_a_teacher_beforehand_has_a_line_until_it_is_done() -> None:
    console = _console()
    tally = _tally(plan())
    with Live(console, tally) as shown:
        shown.filling(100, 3500)
        assert _lines(shown, console)[-1] == "asking the teacher beforehand: 100/3,500"
        shown.filling(3500, 3500)
        assert len(_lines(shown, console)) == 2


def test_for_programs_each_run_has_a_line_of_json(capsys: pytest.CaptureFixture[str]) -> None:
    specs = plan("controls=[]")[1:]
    tally = _tally(specs)
    shown: Progress
    with JsonLines(tally) as shown:
        told = Several([tally, shown])
        told.started(specs, 3, Position(1, 0))
        told.epoch(_rows(specs, 2))
        told.finished(specs[0], RESULT)
        told.failed(specs[1], "lost")
        told.remarked("for people")
    captured = capsys.readouterr()
    lines = [json.loads(line) for line in captured.out.splitlines()]
    assert [line["event"] for line in lines] == ["started"] * 2 + ["epoch"] * 2 + ["finished", "failed"]
    assert lines[0] == {
        "event": "started",
        "run_id": specs[0].run_id,
        "title": "baseline mlp30, seed 0",
        "epochs": 3,
        "epochs_done": 1,
    }
    assert lines[3] == {"event": "epoch", "run_id": specs[1].run_id, **_row(2, 1.5, 0.91), "plan_seconds_left": 0.0}
    assert lines[5] == {"event": "failed", "run_id": specs[1].run_id, "title": specs[1].title, "reason": "lost"}
    assert captured.err == "for people\n"


def test_numbers_that_json_does_not_have_are_null(capsys: pytest.CaptureFixture[str]) -> None:
    tell("epoch", {"train_loss": float("inf"), "seconds": 1.5})
    assert json.loads(capsys.readouterr().out) == {"event": "epoch", "train_loss": None, "seconds": 1.5}


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.4, "0:00"), (59.6, "1:00"), (130, "2:10"), (3730, "1:02:10"), (3600 * 51, "2 d 3:00:00")],
)
def test_durations_are_as_on_a_clock(seconds: float, text: str) -> None:
    assert words.duration(seconds) == text
