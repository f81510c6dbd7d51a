"""Files that are whole or not there: written under a temporary name in the same folder, then renamed."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kdrun.errors import UserError


def write_bytes(path: Path, content: bytes) -> None:
    """Writes a file so that a reader, or a kill at any moment, finds the old content or the new one.

    Raises UserError, and leaves the old file as it was, when the disk is full or the folder cannot be written.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise unwritable(path, error) from error


def write_text(path: Path, text: str) -> None:
    """`write_bytes` for UTF-8 text."""
    write_bytes(path, text.encode())


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """`write_bytes` for a JSON object. Raises ValueError for a number that is not finite, which JSON cannot hold."""
    write_text(path, json.dumps(content, indent=2, allow_nan=False) + "\n")


def make_folder(path: Path) -> None:
    """Makes a folder and its parents; raises UserError where that is not allowed."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise unwritable(path, error) from error


def unwritable(path: Path, error: OSError) -> UserError:
    """The one line for a file or folder that could not be written."""
    if error.errno == errno.ENOSPC:
        return UserError(f"the disk is full, could not write {path}; free some space and run the same command again")
    reason = error.strerror or str(error)
    return UserError(f"cannot write {path}: {reason}; choose another folder with outputs=DIR")
