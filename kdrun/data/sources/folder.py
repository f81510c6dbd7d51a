"""A user's own folder: where it is, and whether its files are still the same."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from kdrun.errors import UserError


def find(data_root: Path, folder: str) -> Path:
    """`folder`, absolute or under the data root. Raises UserError where there is none."""
    path = data_root / Path(folder).expanduser()
    if not path.is_dir():
        raise UserError(
            f"there is no folder {path}; say dataset.source.folder=DIR, absolute or under "
            "data_root=DIR (or KDRUN_DATA=DIR)"
        )
    return path


def digest(files: Iterable[Path], folder: Path) -> str:
    """SHA-256 over the files' paths in the folder and their content."""
    listing = sorted((path.relative_to(folder).as_posix(), _content(path)) for path in files)
    return hashlib.sha256(repr(listing).encode()).hexdigest()


def files_below(folder: Path) -> Iterator[Path]:
    """All files in a folder, also behind links to folders, each of which is entered once."""
    entered: set[str] = set()
    for place, below, names in os.walk(folder, followlinks=True):
        real = os.path.realpath(place)
        if real in entered:
            below.clear()
            continue
        entered.add(real)
        below.sort()
        yield from (path for name in sorted(names) if (path := Path(place, name)).is_file())


def files_digest(path: Path) -> str | None:
    """SHA-256 of a file, or of all files in a folder with their paths there; None where there is no file."""
    if path.is_file():
        return _content(path)
    files = list(files_below(path)) if path.is_dir() else []
    return digest(files, path) if files else None


def _content(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}; mend or remove it") from error
