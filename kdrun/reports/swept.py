"""Sweeps over one number."""

from __future__ import annotations

import re
from collections.abc import Sequence

from kdrun.reports.wording import Row

LEAST = 3  # values of a curve
DECADE = 10.0

_ONE_NUMBER = re.compile(r"([\w./]+)=(\d+(?:\.\d*)?(?:e[+-]?\d+)?)", re.IGNORECASE)


def over_one_number(rows: Sequence[Row]) -> str | None:
    """The key of a sweep that gives one key numbers > 0 over a decade or more, each once; None of other sweeps.

    rows: students, one for each point.
    """
    found = [_ONE_NUMBER.fullmatch(row["overrides"]) for row in rows]
    keys, numbers = {match and match[1] for match in found}, {float(match[2]) for match in found if match}
    if len(keys) != 1 or len(numbers) != len(rows) or len(rows) < LEAST:
        return None
    spans = min(numbers) > 0 and max(numbers) >= DECADE * min(numbers)
    return keys.pop() if spans else None


def number(row: Row) -> float:
    """The number that the row's point was given in such a sweep; NaN for a row of several points."""
    match = _ONE_NUMBER.fullmatch(row["overrides"])
    return float(match[2]) if match else float("nan")
