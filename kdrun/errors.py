"""Errors that are the user's to mend: one line that says what to type, no traceback."""

from __future__ import annotations

import click


class UserError(click.ClickException):
    """Input that cannot be used: what is wrong, the value, what to type instead. Exit code 2."""

    exit_code = 2


class RunFailed(click.ClickException):
    """A run that could not be finished although the input was right (a loss that is not finite). Exit code 1."""

    exit_code = 1
