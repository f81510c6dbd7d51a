"""Signals that a process's children are to be left alone with."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def ignored_by_children(*numbers: signal.Signals) -> Iterator[None]:
    """Processes started meanwhile ignore these signals for good: a terminal sends Ctrl-C to them too.

    This process ignores them as well while it lasts. Does nothing outside the main thread, where it is not possible.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, signal.SIG_IGN) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
