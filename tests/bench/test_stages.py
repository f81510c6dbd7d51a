"""Where a command's time goes, from looks at its stack."""

from __future__ import annotations

import sys
import threading
import time
from pathlib import Path
from types import FrameType

from kdrun.bench.stages import STAGES, Sampler, stage_of


def _frame_in(path: Path, function: str) -> FrameType:
    """A frame as if inside `function` of a file, called from here."""
    code = f"import sys\ndef {function}(): return sys._getframe()\nframe = {function}()"
    space: dict[str, FrameType] = {}
    exec(compile(code, str(path), "exec"), space)
    return space["frame"]


def test_a_stack_belongs_to_a_stage() -> None:
    kdrun = Path("/somewhere/kdrun")
    assert stage_of(_frame_in(kdrun / "training/loop.py", "fit")) == "training"
    assert stage_of(_frame_in(kdrun / "experiment/lab.py", "data")) == "data"
    assert stage_of(_frame_in(kdrun / "experiment/running.py", "begin")) == "setting up"
    assert stage_of(_frame_in(kdrun / "reports/write.py", "write_report")) == "report"
    assert stage_of(sys._getframe()) == "rest"
    assert stage_of(None) == "rest"


def test_time_is_counted_from_look_to_look() -> None:
    sampler = Sampler(threading.get_ident())
    begin = time.perf_counter()
    sampler.start()
    time.sleep(0.2)
    sampler.finish()
    passed = time.perf_counter() - begin
    assert set(sampler.seconds) == set(STAGES)
    assert 0.1 < sampler.seconds["rest"] <= passed
