"""The cache: every folder of what teachers said, under one outputs folder."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from filelock import Timeout

from kdrun.runs.cache_folder import CacheFolder


class Cache:
    """The folders under `outputs/cache`."""

    def __init__(self, outputs: Path) -> None:
        self.root = outputs / "cache"

    def folder(self, name: str) -> CacheFolder:
        """A folder, whether it is there or not."""
        return CacheFolder(self.root / name)

    def folders(self) -> Iterator[CacheFolder]:
        """Those that are there, by name."""
        for path in sorted(self.root.glob("[!.]*")):
            if path.is_dir():
                yield CacheFolder(path)

    def nbytes(self) -> int:
        """What all of them take."""
        return sum(map(nbytes, self.folders()))

    def room(self, max_bytes: int) -> int:
        """How much more may be written: up to the bound, or what is free on the disk if that is less."""
        there = next(path for path in (self.root, *self.root.absolute().parents) if path.exists())
        return min(max_bytes - self.nbytes(), shutil.disk_usage(there).free)


def nbytes(folder: CacheFolder) -> int:
    """What a folder's files take."""
    total = 0
    for path in folder.path.iterdir() if folder.path.is_dir() else ():
        try:
            total += path.stat().st_size
        except FileNotFoundError:  # renamed or removed meanwhile
            continue
    return total


def drop(folder: CacheFolder) -> int | None:
    """Removes a folder, and returns how many bytes that frees; None where a process is writing it."""
    try:
        with folder.lock().acquire(timeout=0):
            freed = nbytes(folder)
            folder.drop()
    except Timeout:
        return None
    return freed


class Summary(NamedTuple):
    """A folder as people see it; `?` for what cannot be read. made: when it was last written, UTC."""

    name: str
    teacher: str
    holds: str
    nbytes: int
    made: str


def summary(folder: CacheFolder) -> Summary:
    about = folder.about() or folder.about_of_0_1()
    teacher = str(about.get("teacher", "?"))
    changed = folder.path.stat().st_mtime
    made = datetime.fromtimestamp(changed, UTC).strftime("%Y-%m-%d %H:%M")
    return Summary(folder.path.name, teacher, _extent(folder, about), nbytes(folder), made)


def _extent(folder: CacheFolder, about: Mapping[str, Any]) -> str:
    signals = list(about.get("forms", ()))
    try:
        (first, second, *_), _ = about["forms"][signals[0]]
    except (LookupError, TypeError, ValueError):
        return "?"
    if about.get("kind") == "schedule":
        epochs = len({path.name.rsplit(".", 2)[1] for path in folder.path.glob("*.npy")})
        extent = f"{epochs} epochs x {first * second:,} examples, data seed {about.get('data_seed')}"
    else:
        extent = f"{second:,} examples x {first:,} view{'' if first == 1 else 's'}"
    return f"{extent}: {', '.join(signals)}"
