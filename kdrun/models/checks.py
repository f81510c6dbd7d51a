"""Refusals that several networks share. All raise UserError."""

from __future__ import annotations

from collections.abc import Sequence

from kdrun.errors import UserError


def require_count(name: str, value: object, *, least: int = 1) -> None:
    """Refuses what is not a whole number of at least `least`."""
    if not isinstance(value, int) or value < least:
        raise UserError(f"{name} must be a whole number >= {least}, got {value}")


def require_counts(name: str, values: object, *, length: int | None = None) -> None:
    """Refuses what is not a list of whole numbers of at least 1, or not of `length` of them."""
    if isinstance(values, str) or not isinstance(values, Sequence):
        raise UserError(f"{name} must be a list, such as [64, 64], got {values}")
    listed = list(values)
    if length is not None and len(listed) != length:
        raise UserError(f"{name} must list {length} numbers, got {listed}")
    if not all(isinstance(value, int) and value >= 1 for value in listed):
        raise UserError(f"{name} must list whole numbers >= 1, got {listed}")


def require_image_size(network: str, image_size: int, *, least: int) -> None:
    """Refuses images that the network would shrink to less than one pixel."""
    if image_size < least:
        raise UserError(
            f"{network} needs images of at least {least}x{least} pixels, got {image_size}x{image_size};"
            " choose another model, such as conv_s or mlp64"
        )
