"""A folder of the cache: arrays of what a teacher said, each whole or not there.

about.json         what they are, and the form of each signal
logits.npy         a table's array; logits.00003.npy a schedule's, of its epoch 3

Each file contains its digest (see `kdrun.runs.integrity`).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

from filelock import FileLock

from kdrun.runs import atomic
from kdrun.runs.integrity import (
    FOOTER_BYTES,
    DigestMismatchError,
    WithFooter,
    check_footer,
    checked_json,
    json_with_digest,
    json_without_digest,
    place_of,
)
from kdrun.runs.spec import SEMANTICS

if TYPE_CHECKING:
    from numpy import ndarray

ABOUT = "about.json"
_BEFORE_HEADER = 10  # bytes of an npy file of version 1.0; the last two are the header's length

Append = Callable[[Mapping[str, "ndarray"]], None]


class Form(NamedTuple):
    """An array's shape, and its type as numpy names it."""

    shape: tuple[int, ...]
    dtype: str

    @property
    def nbytes(self) -> int:
        import numpy as np

        return int(np.prod(self.shape, dtype=np.int64)) * np.dtype(self.dtype).itemsize


class CacheFolder:
    """Reads and writes the arrays of one folder. Writing raises UserError where the disk refuses (see `atomic`)."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def lock(self) -> FileLock:
        """The lock that says who writes; beside the folder, so that it stays when the folder is dropped."""
        atomic.make_folder(self.path.parent)
        return FileLock(self.path.parent / f".{self.path.name}.lock")

    def about(self) -> dict[str, Any]:
        """The content of about.json; {} where it is not there, damaged, or of kdrun 0.1."""
        try:
            return checked_json((self.path / ABOUT).read_bytes())
        except (OSError, ValueError):
            return {}

    def about_of_0_1(self) -> dict[str, Any]:
        """The content of an about.json of kdrun 0.1, whose files have no digests and are not used; {} for any other."""
        about = json_without_digest(self.path / ABOUT) or {}
        return about if "semantics" not in about and isinstance(about.get("forms"), dict) else {}

    def about_is_damaged(self) -> bool:
        return (self.path / ABOUT).exists() and not self.about() and not self.about_of_0_1()

    def form(self, signal: str) -> Form | None:
        """The form of a signal's arrays; None where none was written."""
        try:
            shape, dtype = self.about()["forms"][signal]
            return Form(tuple(map(int, shape)), str(dtype))
        except (KeyError, ValueError, TypeError):
            return None

    def file(self, signal: str, epoch: int | None = None) -> Path:
        return self.path / (f"{signal}.npy" if epoch is None else f"{signal}.{epoch:05d}.npy")

    def array(self, signal: str, epoch: int | None = None) -> ndarray | None:
        """A signal's array, mapped into memory (changes stay there); None where it is not there as it was written.

        The whole file is read, to compare its digest.
        """
        try:
            path = self.file(signal, epoch)
            with path.open("rb") as file:
                check_footer(file, place_of(path))
                return _mapped(file, self.form(signal))
        except (OSError, ValueError):
            return None

    def holds(self, signal: str, epoch: int | None = None) -> bool:
        """Whether an array is there, as far as the file's length shows; `array` reads it all."""
        form = self.form(signal)
        try:
            with self.file(signal, epoch).open("rb") as file:
                before = file.read(_BEFORE_HEADER)
                start = _BEFORE_HEADER + int.from_bytes(before[-2:], "little")
                return form is not None and file.seek(0, os.SEEK_END) == start + form.nbytes + FOOTER_BYTES
        except OSError:
            return False

    def arrays(self, signals: Sequence[str], epoch: int | None = None) -> tuple[dict[str, ndarray], list[str]]:
        """The arrays of signals, and the names of those that are not there whole."""
        there = {signal: array for signal in signals if (array := self.array(signal, epoch)) is not None}
        return there, [signal for signal in signals if signal not in there]

    def files(self) -> list[Path]:
        """The files that are there; none without about.json, because then they are not used."""
        about = self.path / ABOUT
        return [about, *sorted(self.path.glob("[!.]*.npy"))] if about.is_file() else []

    def damaged_files(self) -> list[Path]:
        """Those of `files` that are not what was written. Reads all of them."""
        about, *arrays = self.files() or [self.path / ABOUT]
        return [about] * self.about_is_damaged() + [path for path in arrays if not _is_intact(path)]

    @contextmanager
    def writing(
        self, about: Mapping[str, Any], forms: Mapping[str, Form], epoch: int | None = None
    ) -> Iterator[Append]:
        """Gives a function that appends parts (n, ...) to the arrays; at the end they take their names.

        The lock must be held; what a killed process left is removed first.
        about: joins about.json. forms: of the signals to write, whole.
        """
        from numpy.lib import format as npy

        targets = {signal: self.file(signal, epoch) for signal in forms}
        temporary = {signal: path.with_name(f".{path.name}.{os.getpid()}.tmp") for signal, path in targets.items()}
        atomic.make_folder(self.path)
        self._remove_leftovers()
        try:
            with ExitStack() as opened:
                opened_files = {signal: opened.enter_context(path.open("wb")) for signal, path in temporary.items()}
                files = {signal: WithFooter(file, place_of(targets[signal])) for signal, file in opened_files.items()}
                for signal, (shape, dtype) in forms.items():
                    descr = npy.dtype_to_descr(_dtype(dtype))
                    npy.write_array_header_1_0(files[signal], {"descr": descr, "fortran_order": False, "shape": shape})

                def append(parts: Mapping[str, ndarray]) -> None:
                    for signal, part in parts.items():
                        files[signal].write(part.tobytes())

                yield append
                for file in files.values():
                    file.end()
            known = self.about()
            described = {"semantics": SEMANTICS, **known, **about, "forms": known.get("forms", {}) | forms}
            atomic.write_bytes(self.path / ABOUT, json_with_digest(described))
            for signal, path in temporary.items():
                path.replace(targets[signal])
        except OSError as error:
            raise atomic.unwritable(self.path, error) from error
        finally:
            self._remove_leftovers()

    def drop(self) -> None:
        """Removes the folder; the lock must be held. about.json goes first: nothing that is left is taken for whole."""
        import shutil

        (self.path / ABOUT).unlink(missing_ok=True)
        shutil.rmtree(self.path, ignore_errors=True)

    def _remove_leftovers(self) -> None:
        for path in self.path.glob(".*.tmp"):
            path.unlink(missing_ok=True)


def _is_intact(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            check_footer(file, place_of(path))
    except DigestMismatchError:
        return False
    except FileNotFoundError:  # dropped meanwhile
        pass
    return True


def _mapped(file: BinaryIO, form: Form | None) -> ndarray:
    """The array in a file that `CacheFolder.writing` wrote. Raises ValueError where it has another form."""
    import numpy as np
    from numpy.lib import format as npy

    file.seek(0)
    npy.read_magic(file)
    shape, _, dtype = npy.read_array_header_1_0(file)
    if Form(shape, dtype.name) != form:
        raise ValueError(f"its form is {shape} {dtype.name}, not {form}")
    return np.memmap(file, dtype, "c", file.tell(), shape)


def _dtype(name: str) -> Any:
    import numpy as np

    return np.dtype(name)
