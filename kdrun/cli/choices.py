"""What was decided about keeping what teachers say, in lines for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kdrun.experiment.decide import Choice, Decision


def every_line(decision: Decision) -> list[str]:
    """A line for each teacher on each part of the data."""
    return [_line(choice) for choice in decision.choices]


def what_is_kept(decision: Decision) -> list[str]:
    """Lines for teachers that are heard from the cache, and for what is not kept for want of room."""
    return [_line(choice) for choice in decision.choices if choice.kind != "live" or choice.is_short_of_room]


def _line(choice: Choice) -> str:
    from kdrun.experiment.caching import megabytes

    begin = f"{choice.teacher} on {choice.data}: "
    if choice.kind == "live":
        return f"{begin}asked at every step; {choice.why}"
    size = f"{megabytes(choice.new_bytes)} to write" if choice.new_bytes else "all of it is there"
    return f"{begin}{choice.kind} of {choice.extent}, {size}; {choice.why}"
