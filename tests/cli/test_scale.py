"""A report of 200 runs by 200 epochs: time and memory."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from calling import TOY, start_process
from stores import fill

from kdrun.cli.points import grid
from kdrun.plans.build import comparison_plan

SWEEP = ("tau=range(1,40)", "seeds=[0,1,2,3,4]", "controls=[]")
SECONDS, MEGABYTES = 20, 1000


def _used(cwd: Path, *arguments: str) -> tuple[float, float]:
    """Seconds of processor time, for other work may share the machine, and megabytes at most."""
    process = start_process(*arguments, cwd=cwd)
    assert process.stdout is not None
    assert process.stderr is not None
    printed, told = process.stdout.read(), process.stderr.read()
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = status
    process.stdout.close()
    process.stderr.close()
    assert "39 points" in printed, told
    return used.ru_utime + used.ru_stime, used.ru_maxrss / 1024


@pytest.mark.slow
def test_a_report_of_200_runs_by_200_epochs_takes_seconds_and_little_memory(tmp_path: Path) -> None:
    points = grid(overrides=[*TOY[2:], *SWEEP], experiment=None, config_dir=[Path(TOY[1])])
    plan = comparison_plan(points)
    assert len(plan.runs) == 201
    names = tuple(f"class {number}" for number in range(10))
    fill(tmp_path / "outputs", plan, epochs=200, examples=10_000, class_names=names)
    for arguments in (("sweep", *TOY, *SWEEP), ("report",)):
        seconds, megabytes = _used(tmp_path, *arguments)
        assert seconds < SECONDS, arguments
        assert megabytes < MEGABYTES, arguments
    (page,) = tmp_path.glob("outputs/reports/*/report.html")
    assert page.stat().st_size < 1_000_000
