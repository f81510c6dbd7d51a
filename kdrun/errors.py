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

Frame = tuple[str, str, int]  # file, top-level package, line


class UserError(click.ClickException):
    """Input that cannot be used: what is wrong, the value, what to type instead. Exit code 2."""

    exit_code = 2


class UsersCodeError(UserError):
    """What a user's own class raised where kdrun called it to put a run together; its own error is the cause."""


class RunFailed(click.ClickException):
    """Runs that could not be finished although the input was right. Exit code 1."""

    exit_code = 1


def is_users(file: str) -> bool:
    """Whether a file of Python code is a user's own: outside of kdrun, the standard library and site-packages."""
    if file.startswith("<") or any(name in Path(file).parts for name in _LIBRARIES):
        return False
    return not any(_is_in(file, folder) for folder in (_OWN, *_STANDARD))


def is_in_users_code(error: BaseException) -> bool:
    """Whether a user's own code raised an error, or called what raised it."""
    if isinstance(error, SyntaxError) and error.filename:
        return is_users(error.filename)
    return any(_is_users_frame(frame) for frame in _inner_frames(error))


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
    inner = _inner_frames(error)
    users = [frame for frame in inner if _is_users_frame(frame)]
    chosen = users or [frame for frame in inner if _is_in(frame[0], _OWN)] or inner
    return f"{_readable(chosen[-1][0])}:{chosen[-1][2]}" if chosen else ""


def _inner_frames(error: BaseException) -> list[Frame]:
    """The frames from kdrun's first on, the innermost last: what called kdrun (a test, a script) is left out."""
    frames = list(_frames(error.__traceback__))
    first = next((number for number, (file, _, _) in enumerate(frames) if _is_in(file, _OWN)), 0)
    return frames[first:]


def _frames(traceback: TracebackType | None) -> Iterator[Frame]:
    while traceback is not None:
        frame = traceback.tb_frame
        package = str(frame.f_globals.get("__name__", "")).partition(".")[0]
        yield frame.f_code.co_filename, package, traceback.tb_lineno
        traceback = traceback.tb_next


def _is_users_frame(frame: Frame) -> bool:
    return frame[1] not in _PACKAGES and is_users(frame[0])


def _is_in(file: str, folder: str) -> bool:
    return Path(file).is_relative_to(folder)


def _readable(file: str) -> str:
    """Relative to the working folder where the file lies in it."""
    path = Path(file)
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else file
