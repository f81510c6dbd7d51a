"""A folder of the cache: arrays of what a teacher said, each whole or not there.

about.json         what they are, and the form of each signal
logits.npy         a table's array; logits.00003.npy a schedule's, of its epoch 3
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from filelock import FileLock

from kdrun.runs import atomic

if TYPE_CHECKING:
    from numpy import ndarray

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
        """What about.json says; {} where it is not there or damaged."""
        try:
            about: dict[str, Any] = json.loads((self.path / "about.json").read_text(encoding="utf-8"))
            return about if isinstance(about["forms"], dict) else {}
        except (OSError, ValueError, KeyError, TypeError):
            return {}

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
        """A signal's array, mapped into memory (changes stay there); None where it is not there whole."""
        import numpy as np

        path, form = self.file(signal, epoch), self.form(signal)
        if form is None:
            return None
        try:
            array: ndarray = np.load(path, mmap_mode="c")
            end = path.stat().st_size
        except (OSError, ValueError, EOFError):
            return None
        fits = isinstance(array, np.memmap) and Form(array.shape, array.dtype.name) == form
        return array if fits and end == array.offset + array.nbytes else None  # type: ignore[attr-defined]

    def arrays(self, signals: Sequence[str], epoch: int | None = None) -> tuple[dict[str, ndarray], list[str]]:
        """The arrays of signals, and the names of those that are not there whole."""
        there = {signal: array for signal in signals if (array := self.array(signal, epoch)) is not None}
        return there, [signal for signal in signals if signal not in there]

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
                files = {signal: opened.enter_context(path.open("wb")) for signal, path in temporary.items()}
                for signal, (shape, dtype) in forms.items():
                    descr = npy.dtype_to_descr(_dtype(dtype))
                    npy.write_array_header_1_0(files[signal], {"descr": descr, "fortran_order": False, "shape": shape})

                def append(parts: Mapping[str, ndarray]) -> None:
                    for signal, part in parts.items():
                        files[signal].write(part.tobytes())

                yield append
                for file in files.values():
                    file.flush()
                    os.fsync(file.fileno())
            known = self.about()
            atomic.write_json(self.path / "about.json", {**known, **about, "forms": known.get("forms", {}) | forms})
            for signal, path in temporary.items():
                path.replace(targets[signal])
        except OSError as error:
            raise atomic.unwritable(self.path, error) from error
        finally:
            self._remove_leftovers()

    def drop(self) -> None:
        """Removes the folder; the lock must be held. about.json goes first: nothing that is left is taken for whole."""
        import shutil

        (self.path / "about.json").unlink(missing_ok=True)
        shutil.rmtree(self.path, ignore_errors=True)

    def _remove_leftovers(self) -> None:
        for path in self.path.glob(".*.tmp"):
            path.unlink(missing_ok=True)


def _dtype(name: str) -> Any:
    import numpy as np

    return np.dtype(name)
