"""What a user sees of what is kept of a teacher, and `kdrun cache`."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from calling import SUPPORT, TOY, Kdrun

from kdrun.cli.choices import every_line
from kdrun.experiment.caching import Caching
from kdrun.experiment.decide import Choice, Decision
from kdrun.runs.cache import Cache

COMMAND = ("distill", *TOY, "seeds=[0]", "controls=[]")
TABLE = "teacher mlp30, seed 0 on blobs: table of 100 examples x 9 views (logits), 14.4 kB to write"


def _weights(outputs: Path) -> dict[str, bytes]:
    return {path.parent.name: path.read_bytes() for path in outputs.glob("runs/*/weights.safetensors")}


def test_how_the_teacher_is_heard_is_told_before(kdrun: Kdrun, tmp_path: Path) -> None:
    dry = kdrun(*COMMAND, "cache=table", "--dry-run")
    assert f"{TABLE}; asked for" in dry.out
    assert not (tmp_path / "outputs").exists()
    assert kdrun(*COMMAND, "cache=table").err.splitlines()[0] == f"{TABLE}; asked for"
    again = (*COMMAND, "cache=table", "tau=2")
    assert "table of 100 examples x 9 views (logits), all of it is there" in kdrun(*again, "--dry-run").out
    assert "all of it is there; asked for" in kdrun(*again).err
    assert "asked at every step; asked for" in kdrun(*COMMAND, "cache=off", "tau=3", "--dry-run").out


def test_quiet_says_nothing_of_it(kdrun: Kdrun) -> None:
    assert kdrun(*COMMAND, "cache=table", "--quiet").err == ""


def test_results_say_how_the_teacher_was_heard(kdrun: Kdrun, tmp_path: Path) -> None:
    for kind, tau in (("table", 1), ("schedule", 2), ("off", 3)):
        assert kdrun(*COMMAND, f"cache={kind}", f"tau={tau}").code == 0
    results = pd.read_csv(tmp_path / "outputs" / "results.csv").set_index("kind")
    students = results.loc["student"].set_index("tau")["teacher_signals"]
    assert students.to_dict() == {1: "table", 2: "schedule", 3: "live"}
    assert results.loc[["teacher", "baseline"], ["teacher_signals", "teacher_dtype"]].isna().all(axis=None)


def test_rounding_makes_another_run_and_can_be_swept(kdrun: Kdrun, tmp_path: Path) -> None:
    assert kdrun("sweep", *COMMAND[1:], "cache.dtype=fp32,fp16", "cache=off").code == 0
    kinds = pd.read_csv(tmp_path / "outputs" / "results.csv")["kind"].value_counts().to_dict()
    assert kinds == {"student": 2, "teacher": 1, "baseline": 1}


def test_list_names_what_is_kept_and_clear_drops_it(
    kdrun: Kdrun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "160")
    assert kdrun("cache", "list").out == "0 in outputs/cache, 0.0 kB\n"
    assert kdrun(*COMMAND, "cache=table").code == 0
    assert kdrun(*COMMAND, "cache=schedule", "tau=2").code == 0
    table, schedule = sorted((folder.path.name for folder in Cache(tmp_path / "outputs").folders()), reverse=True)
    listed = kdrun("cache", "list").out
    rows = [re.split(r"\s{2,}", line.strip()) for line in listed.splitlines()]
    assert rows[1][:3] == [schedule, "mlp30, seed 0", "3 epochs x 100 examples, data seed 0: logits"]
    assert rows[2][:3] == [table, "mlp30, seed 0", "100 examples x 9 views: logits"]
    assert rows[-1][0].startswith("2 in outputs/cache")
    assert re.fullmatch(r"dropped 1 of 2 in outputs/cache, 15\.\d kB freed\n", kdrun("cache", "clear", table).out)
    assert "did you mean schedule-" in kdrun("cache", "clear", "schedule-mlp30").err
    assert kdrun("cache", "clear").out.startswith("dropped 1 of 1 in outputs/cache")
    assert not list(Cache(tmp_path / "outputs").folders())


def test_what_is_being_written_is_not_dropped(kdrun: Kdrun, tmp_path: Path) -> None:
    assert kdrun(*COMMAND, "cache=table").code == 0
    (folder,) = Cache(tmp_path / "outputs").folders()
    with folder.lock().acquire(timeout=0):
        ended = kdrun("cache", "clear")
    assert (ended.code, ended.out) == (2, "dropped 0 of 1 in outputs/cache, 0.0 kB freed\n")
    assert (
        ended.err == f"Error: {folder.path.name}: a process is writing there; stop it, or clear again when it is done\n"
    )


def test_what_is_not_kept_says_why() -> None:
    choice = Choice("live", "teacher mlp30, seed 0", "blobs", "", 0, "it would not pay")
    assert every_line(Decision(Caching(), (choice,))) == [
        "teacher mlp30, seed 0 on blobs: asked at every step; it would not pay"
    ]


# Runs kdrun, and is killed at the n-th moment at which an array of the cache is written but not yet in its place.
KILLED = """
import os, signal, sys
fsync, left = os.fsync, [int(sys.argv.pop(1))]
def killing(descriptor):
    if ".npy." in os.readlink(f"/proc/self/fd/{descriptor}"):
        left[0] -= 1
        if not left[0]:
            os.kill(os.getpid(), signal.SIGKILL)
    fsync(descriptor)
os.fsync = killing
from kdrun.cli import main
main(sys.argv[1:])
"""


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs /proc")
@pytest.mark.parametrize(("kind", "nth"), [("table", 1), ("schedule", 2)])
def test_killed_while_it_writes_and_started_again_it_ends_with_the_same_numbers(
    kdrun: Kdrun, tmp_path: Path, kind: str, nth: int
) -> None:
    command = (*COMMAND, f"cache={kind}")
    assert kdrun(*command, "outputs=whole").code == 0
    paths = os.pathsep.join([str(SUPPORT), *filter(None, [os.environ.get("PYTHONPATH")])])
    environment = os.environ | {"PYTHONPATH": paths, "OMP_NUM_THREADS": "1"}
    code = [sys.executable, "-c", KILLED, str(nth), *command, "outputs=killed"]
    ended = subprocess.run(code, cwd=tmp_path, env=environment, capture_output=True)
    assert ended.returncode == -signal.SIGKILL
    assert len(list(tmp_path.glob("killed/cache/*/.*.tmp"))) == 1
    assert len(list(tmp_path.glob("killed/cache/*/*.npy"))) == nth - 1
    assert kdrun(*command, "outputs=killed").code == 0
    assert _weights(tmp_path / "killed") == _weights(tmp_path / "whole")
    assert not list(tmp_path.glob("killed/cache/*/.*.tmp"))
