"""Verification of the files of a store: those of the runs of a plan, or all of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from kdrun.runs.cache import Cache
from kdrun.runs.cache_folder import CacheFolder
from kdrun.runs.folder import METRICS, DamagedFileError, RunFolder
from kdrun.runs.store import Store


class Verified(NamedTuple):
    """A folder whose files were read and compared with their digests.

    files, nbytes: how many files were read, and their length. damaged: those that are not what was written or missing.
    is_of_0_1: its files have no digests and were not read.
    """

    path: Path
    files: int
    nbytes: int
    damaged: tuple[Path, ...] = ()
    is_of_0_1: bool = False


def check(folder: RunFolder) -> None:
    """Raises DamagedFileError for the first file that keeps a command from using a run, or from going on with it.

    metrics.csv of an unfinished run is not among them: it is restored from the state. All is read, weights as well: for
    each run a small part of the time that training it took.
    Raises UserError for a run of kdrun 0.1.
    """
    for path in damaged_files(folder, but=() if folder.is_finished else (METRICS,)):
        raise DamagedFileError(path)


def damaged_files(folder: RunFolder, but: tuple[str, ...] = ()) -> list[Path]:
    """The files of a run that are damaged or missing; where result.json is, no file whose digest it holds.

    A run that another process trains meanwhile has none: each file is replaced at once, and what seems to be damaged
    is read again, because the run may have been finished or set aside between two files.
    but: names of files that are left out.
    """

    def found() -> set[Path]:
        return {path for name in folder.files() if name not in but if (path := _damaged(folder, name))}

    return _twice(found)


def verified_run(folder: RunFolder) -> Verified:
    """A run, finished or begun."""
    if folder.is_of_0_1:
        return Verified(folder.path, 0, 0, is_of_0_1=True)
    paths = [folder.path / name for name in folder.files()]
    return Verified(folder.path, *_extent(paths), tuple(damaged_files(folder)))


def verified_cache(folder: CacheFolder) -> Verified:
    """A folder of the cache; one without about.json is not used and has no files to verify."""
    if folder.about_of_0_1():
        return Verified(folder.path, 0, 0, is_of_0_1=True)
    return Verified(folder.path, *_extent(folder.files()), tuple(_twice(lambda: set(folder.damaged_files()))))


def verified(store: Store) -> Iterator[tuple[RunFolder | CacheFolder, Verified]]:
    """Every run that is not set aside, then every folder of the cache."""
    for run in store.folders():
        yield run, verified_run(run)
    for kept in Cache(store.outputs).folders():
        yield kept, verified_cache(kept)


def _damaged(folder: RunFolder, name: str) -> Path | None:
    try:
        folder.check(name)
    except DamagedFileError as damage:
        return damage.path
    return None


def _twice(find: Callable[[], set[Path]]) -> list[Path]:
    """What is found at once and again."""
    found = find()
    return sorted(found & find()) if found else []


def _extent(paths: list[Path]) -> tuple[int, int]:
    """How many of the files are there, and how long they are together."""
    lengths = []
    for path in paths:
        with suppress(FileNotFoundError):
            lengths.append(path.stat().st_size)
    return len(lengths), sum(lengths)
