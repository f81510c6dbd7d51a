"""Seeds of every random draw, as pure functions of where in the work it happens, so that resuming needs no state."""

from __future__ import annotations

_MASK = (1 << 64) - 1


def mix(*numbers: int) -> int:
    """A seed in [0, 2^63) that depends on every number and on their order (splitmix64's finaliser, chained)."""
    state = 0x9E3779B97F4A7C15
    for number in numbers:
        state = (state + number + 0x9E3779B97F4A7C15) & _MASK
        state = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
        state = ((state ^ (state >> 27)) * 0x94D049BB133111EB) & _MASK
        state ^= state >> 31
    return state >> 1
