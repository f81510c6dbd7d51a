"""Seeds of every random draw, as pure functions of where in the work it happens, so that resuming needs no state."""

from __future__ import annotations

_MASK = (1 << 64) - 1
_TEACHERS = 0x7EAC4E25  # any number: it stands for the teachers' side


def mix(*numbers: int) -> int:
    """A seed in [0, 2^63) that depends on every number and on their order (splitmix64's finaliser, chained)."""
    state = 0x9E3779B97F4A7C15
    for number in numbers:
        state = (state + number + 0x9E3779B97F4A7C15) & _MASK
        state = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
        state = ((state ^ (state >> 27)) * 0x94D049BB133111EB) & _MASK
        state ^= state >> 31
    return state >> 1


def seed_of_side(kind: str, seed: int) -> int:
    """The seed that a run's draws derive from: teachers draw other numbers than the runs that are compared.

    A teacher that begins with a student's weights, order of batches and dropout would be a copy of it. So a run of kind
    `teacher` has a seed in [2^62, 2^63), where no seed can be typed; baselines, controls and students have the one that
    was typed, the same for all, and stay paired.

    kind: as of `kdrun.runs.spec.RunSpec`. seed: as typed, in [0, 2^53].
    """
    return 2**62 | mix(_TEACHERS, seed) if kind == "teacher" else seed
