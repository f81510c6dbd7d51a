"""The bench: what kdrun's steps cost beside other loops of the same networks, timed in turns in one process."""

from __future__ import annotations

from collections.abc import Callable

Stop = Callable[[], bool]

# Trains from the beginning, asks after every step whether to stop, and returns when that is answered with true.
Loop = Callable[[Stop], None]

__all__ = ["Loop", "Stop"]
