"""Errors that are the user's to mend: one line that says what to type, no traceback."""

from __future__ import annotations

import sys
import traceback
from pathlib import Path

import click

_NOT_THE_USERS = (str(Path(__file__).parent), sys.prefix, sys.base_prefix)  # kdrun, installed packages, Python itself


class UserError(click.ClickException):
    """Input that cannot be used: what is wrong, the value, what to type instead. Exit code 2."""

    exit_code = 2


class RunFailed(click.ClickException):
    """Runs that could not be finished although the input was right. Exit code 1."""

    exit_code = 1


def where(error: BaseException) -> str:
    """An error in one line, with the innermost place in the user's own code: `ValueError: bad width (my_model.py:17)`.

    Where no code of the user's was running, the innermost place of all.
    """
    text = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}".removesuffix(": ")
    frames = traceback.extract_tb(error.__traceback__)
    if not frames:
        return text
    own = [frame for frame in frames if not frame.filename.startswith((*_NOT_THE_USERS, "<"))]
    innermost = (own or frames)[-1]
    return f"{text} ({Path(innermost.filename).name}:{innermost.lineno})"
