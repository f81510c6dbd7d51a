"""kdrun called as a user calls it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

SUPPORT = Path(__file__).parent

TOY = ("--config-dir", str(SUPPORT / "conf"), "dataset=blobs", "train=toy", "teacher=mlp30", "student=mlp30")


class Outcome:
    """What a command printed and how it ended."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err


Kdrun = Callable[..., Outcome]


def start_process(*arguments: str, cwd: Path) -> subprocess.Popen[str]:
    """kdrun in a process of its own."""
    paths = [str(SUPPORT), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(paths), "OMP_NUM_THREADS": "1", "COLUMNS": "120"}
    return subprocess.Popen(
        [sys.executable, "-m", "kdrun", *arguments],
        cwd=cwd,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
