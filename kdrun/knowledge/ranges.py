"""Checks of the numbers that a knowledge term is built with."""

from __future__ import annotations

from kdrun.errors import UserError


def positive(name: str, value: float) -> float:
    """The value; raises UserError where it is not > 0."""
    if not value > 0:
        raise UserError(f"{name} must be > 0, got {value}")
    return value


def fraction(name: str, value: float) -> float:
    """The value; raises UserError where it is not in [0, 1]."""
    if not 0 <= value <= 1:
        raise UserError(f"{name} must be between 0 and 1, got {value}")
    return value
