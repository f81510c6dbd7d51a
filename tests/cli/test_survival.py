"""Kills, interrupts and rivals: nothing finished is lost, nothing is trained twice, and the numbers stay the same."""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from calling import TOY, Kdrun, start_process

COMMAND = ("distill", *TOY, "seeds=[0]", "teacher.dropout=0.2", "train.teacher.epochs=40", "train.student.epochs=40")
SAVE_ALWAYS = "executor.state_every_s=0"


def _weights(outputs: Path) -> dict[str, bytes]:
    return {path.parent.name: path.read_bytes() for path in outputs.glob("runs/*/weights.safetensors")}


def _metrics(outputs: Path) -> dict[str, pd.DataFrame]:
    return {path.parent.name: pd.read_csv(path).drop(columns="seconds") for path in outputs.glob("runs/*/metrics.csv")}


@pytest.fixture
def whole(kdrun: Kdrun, tmp_path: Path) -> Path:
    """The outputs of the same command, never disturbed."""
    assert kdrun(*COMMAND, "outputs=whole").code == 0
    return tmp_path / "whole"


def _wait_for(happened: Callable[[], object], seconds: float = 180) -> None:
    end = time.monotonic() + seconds
    while not happened() and time.monotonic() < end:
        time.sleep(0.005)
    assert happened()


def _kill_at(cwd: Path, delay_s: float) -> None:
    """Starts the command, and kills it so long after its first state of this process was written."""
    before = time.time_ns()
    process = start_process(*COMMAND, SAVE_ALWAYS, "outputs=killed", cwd=cwd)
    states = "killed/runs/*/metrics.csv"
    _wait_for(lambda: process.poll() is not None or any(p.stat().st_mtime_ns > before for p in cwd.glob(states)))
    time.sleep(delay_s)
    process.kill()
    process.communicate()


def _survives(kdrun: Kdrun, whole: Path, delays_s: list[float]) -> None:
    cwd = whole.parent
    for delay_s in delays_s:
        _kill_at(cwd, delay_s)
    assert kdrun(*COMMAND, "outputs=killed").code == 0
    assert _weights(cwd / "killed") == _weights(whole)
    killed, undisturbed = _metrics(cwd / "killed"), _metrics(whole)
    assert killed.keys() == undisturbed.keys()
    for run, rows in killed.items():
        pd.testing.assert_frame_equal(rows, undisturbed[run], check_exact=True)


def test_killed_and_started_again_it_ends_with_the_same_numbers(kdrun: Kdrun, whole: Path) -> None:
    _survives(kdrun, whole, [random.Random(1).uniform(0, 1.5) for _ in range(3)])


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(8))
def test_killed_at_random_moments_it_ends_with_the_same_numbers(kdrun: Kdrun, whole: Path, seed: int) -> None:
    _survives(kdrun, whole, [random.Random(100 + seed).uniform(0, 2) for _ in range(3)])


@pytest.mark.slow
@pytest.mark.parametrize("executor", ["serial", "lockstep", "processes"])
def test_every_executor_ends_with_the_same_numbers_and_saves_at_ctrl_c(
    kdrun: Kdrun, whole: Path, executor: str
) -> None:
    cwd = whole.parent
    command = (*COMMAND, f"executor={executor}", "outputs=other")
    process = start_process(*command, SAVE_ALWAYS, cwd=cwd)
    _wait_for(lambda: list(cwd.glob("other/runs/*/state.pt")))
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=60)
    assert (process.returncode, "Traceback" in told) == (130, False)
    assert kdrun(*command).code == 0
    assert _weights(cwd / "other") == _weights(whole)


def test_ctrl_c_saves_says_how_to_go_on_and_the_same_command_does(kdrun: Kdrun, whole: Path) -> None:
    cwd = whole.parent
    process = start_process(*COMMAND, "executor.state_every_s=0.05", "outputs=stopped", cwd=cwd)
    _wait_for(lambda: list(cwd.glob("stopped/runs/*/state.pt")))
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "the same command goes on from there" in told
    assert "Traceback" not in told
    assert len(list(cwd.glob("stopped/runs/*/state.pt"))) == 1
    again = kdrun(*COMMAND, "outputs=stopped")
    assert "goes on in epoch" in again.err
    assert _weights(cwd / "stopped") == _weights(whole)


def test_two_commands_at_once_train_every_run_once_and_print_the_same_table(kdrun: Kdrun, whole: Path) -> None:
    cwd = whole.parent
    rivals = [start_process(*COMMAND, "outputs=shared", cwd=cwd) for _ in range(2)]
    ended = [rival.communicate(timeout=300) for rival in rivals]
    assert [rival.returncode for rival in rivals] == [0, 0]
    assert ended[0][0] == ended[1][0]
    trained = [line for _, told in ended for line in told.splitlines() if ": test accuracy" in line]
    assert len(trained) == len({line.partition(": test accuracy")[0] for line in trained}) == 4
    assert _weights(cwd / "shared") == _weights(whole)
