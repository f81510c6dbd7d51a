"""Errors that are the user's to mend: one line that says what to type, no traceback; and where an error was raised."""

from __future__ import annotations

import sysconfig
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

import click

_LONGEST = 300  # characters of an error's own message
_LIBRARIES = ("site-packages", "dist-packages")
_OWN = str(Path(__file__).parent)
_STANDARD = tuple({sysconfig.get_paths()[key] for key in ("stdlib", "platstdlib")})
# Also where they are installed from a working copy.
_PACKAGES = frozenset({"kdrun", "torch", "torchvision", "hydra", "omegaconf"})


class UserError(click.ClickException):
    """Input that cannot be used: what is wrong, the value, what to type instead. Exit code 2."""

    exit_code = 2


class RunFailed(click.ClickException):
    """A run that could not be finished although the input was right (a loss that is not finite). Exit code 1."""

    exit_code = 1


def where(error: BaseException) -> str:
    """The error's type and message, and the place of the user's own code that raised it, in one line.

    The place is the innermost frame of the traceback outside of kdrun, torch, Hydra, the standard library and
    site-packages; without one, the innermost frame of kdrun. Example: `ValueError: bad width (my_model.py:17)`.
    """
    message = " ".join(str(error).split())
    if isinstance(error, SyntaxError) and error.filename:
        message, place = error.msg, f"{_readable(error.filename)}:{error.lineno}"
    else:
        place = _place(error)
    if len(message) > _LONGEST:
        message = message[: _LONGEST - 3] + "..."
    named = f"{type(error).__name__}: {message}" if message else type(error).__name__
    return f"{named} ({place})" if place else named


def _place(error: BaseException) -> str:
    """`file:line`; empty for an error that was never raised."""
    frames = list(_frames(error.__traceback__))
    own = [number for number, (file, _, _) in enumerate(frames) if _is_in(file, _OWN)]
    # What called kdrun (its entry point, a test) did not raise the error.
    inner = frames[own[0] :] if own else frames
    users = [frame for frame in inner if _is_users(frame[0], frame[1])]
    chosen = users or [frames[number] for number in own] or frames
    return f"{_readable(chosen[-1][0])}:{chosen[-1][2]}" if chosen else ""


def _frames(traceback: TracebackType | None) -> Iterator[tuple[str, str, int]]:
    """File, top-level package and line of each frame, the innermost last."""
    while traceback is not None:
        frame = traceback.tb_frame
        package = str(frame.f_globals.get("__name__", "")).partition(".")[0]
        yield frame.f_code.co_filename, package, traceback.tb_lineno
        traceback = traceback.tb_next


def _is_users(file: str, package: str) -> bool:
    if file.startswith("<") or package in _PACKAGES or any(name in Path(file).parts for name in _LIBRARIES):
        return False
    return not any(_is_in(file, folder) for folder in (_OWN, *_STANDARD))


def _is_in(file: str, folder: str) -> bool:
    return Path(file).is_relative_to(folder)


def _readable(file: str) -> str:
    """Relative to the working folder where the file lies in it."""
    path = Path(file)
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else file
