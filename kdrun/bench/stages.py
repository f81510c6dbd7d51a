"""Where a command's time goes, by looking at its stack every few milliseconds.

`python -m kdrun.bench.stages FILE kdrun ARGUMENTS` runs the command and writes the seconds of each stage as JSON. A
look counts for the first of the stages below that is on the stack: imports before all, since they stand inside others.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from types import CodeType, FrameType

EVERY_S = 0.002

# A part of a file's path, a function in it (empty: any), and the stage that they belong to.
_PLACES = (
    ("importlib._bootstrap", "", "imports"),
    ("kdrun/config/", "", "compose"),
    ("kdrun/plans/build", "", "plan"),
    ("kdrun/experiment/lab", "data", "data"),
    ("kdrun/training/loop", "", "training"),
    ("kdrun/experiment/measure", "", "evaluation"),
    ("kdrun/experiment/", "", "setting up"),
    ("kdrun/plans/record", "", "report"),
    ("kdrun/reports/", "", "report"),
)
STAGES = (*dict.fromkeys(stage for *_, stage in _PLACES), "rest")


def stage_of(frame: FrameType | None) -> str:
    """The stage that a thread is in, from its innermost frame."""
    places = [(code.co_filename.replace("\\", "/"), code.co_name) for code in _codes(frame)]
    for part, function, stage in _PLACES:
        if any(part in path and function in ("", name) for path, name in places):
            return stage
    return "rest"


def _codes(frame: FrameType | None) -> Iterator[CodeType]:
    while frame is not None:
        yield frame.f_code
        frame = frame.f_back


class Sampler(threading.Thread):
    """Looks at another thread until told to stop; the time since its last look goes to the stage it then sees.

    thread: the identity of the one to look at. seconds: by stage.
    """

    def __init__(self, thread: int) -> None:
        super().__init__(daemon=True)
        self.seconds = dict.fromkeys(STAGES, 0.0)
        self._looked_at, self._over = thread, threading.Event()

    def run(self) -> None:
        before = time.perf_counter()
        while not self._over.wait(EVERY_S):
            now = time.perf_counter()
            self.seconds[stage_of(sys._current_frames().get(self._looked_at))] += now - before
            before = now

    def finish(self) -> None:
        self._over.set()
        self.join()


def _main() -> None:
    import json
    import runpy
    from pathlib import Path

    file, module, *arguments = sys.argv[1:]
    sys.argv = [module, *arguments]
    sampler = Sampler(threading.get_ident())
    sampler.start()
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    finally:
        sampler.finish()
        Path(file).write_text(json.dumps(sampler.seconds), encoding="utf-8")


if __name__ == "__main__":
    _main()
