"""Commands in processes of their own: what they cost from outside."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from kdrun.errors import UserError

KDRUN = ("-m", "kdrun")

_KIB = 1024
_RSS_UNIT = 1 if sys.platform == "darwin" else _KIB  # of ru_maxrss


@dataclass(frozen=True)
class Ended:
    """What a process took.

    seconds: on the wall. cpu_seconds: of all its threads. peak_bytes: the most that was resident, and at least what
        was resident in the process that started it, which Linux counts in: that one must be small.
    """

    seconds: float
    cpu_seconds: float
    peak_bytes: int


def timed(arguments: Sequence[str], *, expected: int = 0) -> Ended:
    """Runs `python ARGUMENTS` with this process's environment and working folder; what it prints is thrown away.

    Raises UserError with the last line of its errors where it ends with another code than expected.
    """
    begin = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    with process:
        told = process.stderr.read() if process.stderr else ""
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - begin
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != expected:
        last = next(reversed(told.splitlines()), "no message")
        raise UserError(f"`python {' '.join(arguments)}` ended with code {process.returncode}: {last}")
    return Ended(seconds, usage.ru_utime + usage.ru_stime, _RSS_UNIT * usage.ru_maxrss)


def training_seconds(outputs: Path, kind: str) -> float:
    """The seconds that the finished runs of a kind trained, from an outputs folder."""
    with (outputs / "results.csv").open(encoding="utf-8", newline="") as file:
        return sum(float(row["train_seconds"]) for row in csv.DictReader(file) if row["kind"] == kind)
