"""Data that do not fit: what is said of them, and that no process outlives the command, however it ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from calling import TOY, Kdrun, start_process
from pictures import chosen, cut_off, photos

LONG = ("seeds=[0]", "train.teacher.epochs=400", "train.student.epochs=400", "executor.state_every_s=0")
KNOWN = ("dataset.mean=[0.5,0.5,0.5]", "dataset.std=[0.2,0.2,0.2]")  # so that no pass over the data measures them
STREAMED = ("data_memory_share=1e-12", "loader_workers=2")


@pytest.fixture
def command(tmp_path: Path) -> tuple[str, ...]:
    """A distillation on pictures."""
    return "distill", *TOY[:2], *TOY[3:], *chosen(photos(tmp_path / "photos"))


def test_the_dry_run_says_where_the_data_would_be(kdrun: Kdrun, command: tuple[str, ...]) -> None:
    plan = *command, "device=cpu", "--dry-run"
    size = "data image_folder: 80 images, 0.0 MiB decoded, "
    assert size + "resident (cpu)" in kdrun(*plan).out.splitlines()
    assert size + "streamed (cpu)" in kdrun(*plan, *STREAMED).out.splitlines()


def test_where_the_data_are_does_not_identify_a_run(kdrun: Kdrun, command: tuple[str, ...], tmp_path: Path) -> None:
    assert kdrun(*command, "seeds=[0]", *STREAMED).code == 0
    again = kdrun(*command, "seeds=[0]")
    assert again.code == 0
    assert "test accuracy" not in again.err
    results = list(tmp_path.glob("outputs/runs/*/result.json"))
    assert {json.loads(path.read_text())["data_placement"] for path in results} == {"streamed"}


def test_an_image_that_turns_out_damaged_is_told_in_one_line(
    kdrun: Kdrun, command: tuple[str, ...], tmp_path: Path
) -> None:
    for picture in (tmp_path / "photos" / "cats").iterdir():
        cut_off(picture)
    ended = kdrun(*command, *STREAMED, *KNOWN, "--quiet")
    assert ended.code == 2
    assert ended.err.startswith(f"Error: {tmp_path}/photos/cats/")
    assert ended.err.endswith("cannot be read as an image; replace or remove it\n")
    assert len(ended.err.splitlines()) == 1


def _session(leader: int) -> dict[int, str]:
    """The processes of a session that have not ended, with their command lines."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
            if int(fields[3]) == leader and fields[0] not in "ZX":
                found[int(folder.name)] = (folder / "cmdline").read_text().replace("\0", " ")
        except OSError:  # it has just ended
            continue
    return found


def _wait_for(happened: Callable[[], object], seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while not happened() and time.monotonic() < end:
        time.sleep(0.02)
    assert happened()


def _begun(command: tuple[str, ...], cwd: Path) -> subprocess.Popen[str]:
    """The command, streaming, after its first saved state."""
    process = start_process(*command, *LONG, *KNOWN, *STREAMED, cwd=cwd, own_session=True)
    _wait_for(lambda: process.poll() is not None or list(cwd.glob("outputs/runs/*/state.pt")))
    return process


@pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")
@pytest.mark.parametrize("executor", ["lockstep", pytest.param("processes", marks=pytest.mark.slow)])
def test_nothing_is_left_of_a_command_that_was_killed(command: tuple[str, ...], tmp_path: Path, executor: str) -> None:
    process = _begun((*command, f"executor={executor}"), tmp_path)
    assert len(_session(process.pid)) >= 4  # itself, the server, and two that decode
    process.kill()
    process.communicate(timeout=60)
    _wait_for(lambda: not _session(process.pid), 60)


@pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")
@pytest.mark.parametrize("number", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)])
def test_asked_to_stop_all_of_it_saves_and_ends_in_peace(
    command: tuple[str, ...], tmp_path: Path, number: signal.Signals
) -> None:
    process = _begun(command, tmp_path)
    os.killpg(process.pid, number)  # as a terminal does with Ctrl-C, and a system that shuts down
    _, told = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "the same command goes on from there" in told
    assert "Traceback" not in told
    _wait_for(lambda: not _session(process.pid), 60)
