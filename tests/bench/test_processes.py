"""Commands timed from outside."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from kdrun.bench.processes import timed, training_seconds
from kdrun.errors import UserError

# In a small process, as `kdrun bench scaling` is one: what the parent holds is counted in.
COMPARED = """
import sys
from kdrun.bench.processes import timed
from kdrun.bench.scaling import bench_scaling
assert "torch" not in sys.modules
idle = timed(["-c", "import time; time.sleep(0.3)"])
busy = timed(["-c", "numbers = bytearray(b'1' * 200 * 2**20); sum(range(10**7))"])
assert idle.seconds > 0.3 > idle.cpu_seconds, idle
assert busy.cpu_seconds > idle.cpu_seconds + 0.05, busy
assert busy.peak_bytes - idle.peak_bytes > 150 * 2**20, (idle, busy)
"""


def test_time_and_memory_of_a_process_are_its_own() -> None:
    subprocess.run([sys.executable, "-c", COMPARED], check=True)


def test_an_unexpected_end_is_told_with_its_last_line() -> None:
    with pytest.raises(UserError, match=r"ended with code 3: out of cheese"):
        timed(["-c", "import sys; print('out of cheese', file=sys.stderr); sys.exit(3)"])
    assert timed(["-c", "raise SystemExit(3)"], expected=3).seconds > 0


def test_training_seconds_are_of_one_kind(tmp_path: Path) -> None:
    rows = "kind,train_seconds\nteacher,5\nstudent,1.5\nstudent,2\n"
    (tmp_path / "results.csv").write_text(rows, encoding="utf-8")
    assert training_seconds(tmp_path, "student") == 3.5
