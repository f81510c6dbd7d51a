"""One run's folder: what is in it, and how it gets there so that no kill loses or doubles anything.

spec.json            what the run is, and how it began
state.pt             the training state, until the run is finished
metrics.csv          a row for each finished epoch
weights.safetensors  the trained network
predictions.csv      what it said of each test example
classes.csv          the names of the classes
failure.txt          why the last attempt at the run failed, with the traceback
result.json          the row of results.csv; its presence means that the run is finished
lock                 held by the process that trains the run

Each file has a digest, which is checked when it is read: spec.json, state.pt and result.json contain their own (see
`kdrun.runs.integrity`), result.json contains those of the others. Before there is a result, metrics.csv is a copy of
rows that the state contains: it is written after the state, and restored from it where training goes on.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from filelock import FileLock, Timeout

from kdrun.errors import UserError
from kdrun.runs import atomic
from kdrun.runs.identity import digest
from kdrun.runs.integrity import (
    LAST_WITHOUT_DIGESTS,
    DigestMismatchError,
    check_footer,
    checked_json,
    json_with_digest,
    json_without_digest,
    place_of,
    sha256,
    sha256_of_file,
)
from kdrun.runs.spec import RunSpec, identity_in

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

Row = Mapping[str, Any]

SPEC, STATE, METRICS, RESULT = "spec.json", "state.pt", "metrics.csv", "result.json"
WEIGHTS, PREDICTIONS, CLASSES = "weights.safetensors", "predictions.csv", "classes.csv"
_NEEDED = {"run_id", "test_accuracy", "test_examples", "train_seconds", "weights_bytes", "weights_sha256", "files"}


class DamagedFileError(UserError):
    """A file of a run that is not what was written, or is missing. path: the file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        super().__init__(
            f"{path} is damaged or missing; add --retrain-damaged to the command that trains this run "
            "(kdrun distill, sweep or train-teacher): it sets the run aside and trains it again"
        )


class Predictions(NamedTuple):
    """Columns of predictions.csv (N,), an entry for each test example: class indices, and confidence in [0, 1]."""

    label: NDArray[np.int64]
    predicted: NDArray[np.int64]
    confidence: NDArray[np.float64]


class RunFolder:
    """Reads and writes the files of one run.

    Writing raises UserError where the disk refuses (see `atomic`). Reading raises DamagedFileError for a file that is
    missing or not what was written, and UserError for the files of kdrun 0.1, which have no digests.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def lock(self) -> FileLock:
        """The lock that says who trains this run; freed by the system when its process dies."""
        atomic.make_folder(self.path)
        return FileLock(self.path / "lock")

    @property
    def is_finished(self) -> bool:
        return (self.path / RESULT).is_file()

    @property
    def is_started(self) -> bool:
        return (self.path / STATE).is_file()

    @property
    def is_of_0_1(self) -> bool:
        """Whether kdrun 0.1 made the run."""
        semantics = (json_without_digest(self.path / SPEC) or {}).get("semantics")
        return isinstance(semantics, int) and semantics <= LAST_WITHOUT_DIGESTS

    @property
    def failure_path(self) -> Path:
        """The file on the last attempt, where it failed."""
        return self.path / "failure.txt"

    def note_failure(self, text: str) -> None:
        """Keeps why an attempt at the run failed."""
        atomic.make_folder(self.path)
        atomic.write_text(self.failure_path, text)

    def forget_failure(self) -> None:
        """Removes what is kept of a failed attempt, as another one begins."""
        self.failure_path.unlink(missing_ok=True)

    def start(self, spec: RunSpec, notes: Mapping[str, Any]) -> None:
        """Writes down what the run is. notes: how it began, which is no part of what it is."""
        atomic.make_folder(self.path)
        self._write_spec(spec, notes)

    def _write_spec(self, spec: RunSpec, notes: Mapping[str, Any]) -> None:
        content = spec.description() | {"title": spec.title, "run_id": spec.run_id, **notes}
        atomic.write_bytes(self.path / SPEC, json_with_digest(content))

    def description(self) -> dict[str, Any]:
        """What the run is, and how it began: the content of spec.json."""
        with self._reading(SPEC) as path:
            return checked_json(path.read_bytes())

    def update_spec(self, spec: RunSpec) -> None:
        """Writes the present description over one that differs from it in what is no part of the run's identity.

        So runs are read back with the present place of their data. The file stays as it is where it describes another
        run, cannot be read, or another process holds the run's lock.
        """
        described = spec.description()
        try:
            stored = self.description()
            same = digest(identity_in({key: stored[key] for key in described if key in stored})) == spec.fingerprint
        except (UserError, ValueError, KeyError, TypeError, AttributeError):
            return
        if same and any(stored.get(key) != value for key, value in described.items()):
            notes = {key: value for key, value in stored.items() if key not in (*described, "title", "run_id")}
            with suppress(Timeout), self.lock().acquire(timeout=0):
                self._write_spec(spec, notes)

    def save_state(self, state: Mapping[str, Any], rows: Sequence[Row]) -> None:
        """Saves a training state with the rows of the epochs before it; then metrics.csv, a copy of the rows."""
        from kdrun.runs.tensors import state_bytes

        content = state_bytes(
            {"training": dict(state), "rows": [dict(row) for row in rows]}, place_of(self.path / STATE)
        )
        atomic.write_bytes(self.path / STATE, content)
        atomic.write_text(self.path / METRICS, to_csv(rows))

    def load_state(self) -> tuple[dict[str, Any], list[Row]] | None:
        """The training state and its rows, or None where there is none."""
        if not self.is_started:
            return None
        from kdrun.runs.tensors import state_from

        with self._reading(STATE) as path:
            stored = state_from(path.read_bytes(), place_of(path))
        return stored["training"], stored["rows"]

    def restore_metrics(self, rows: Sequence[Row]) -> None:
        """Writes metrics.csv again unless it has these rows, the state's. A kill or damage may have set them apart."""
        path, content = self.path / METRICS, to_csv(rows).encode()
        if not path.is_file() or path.read_bytes() != content:
            atomic.write_bytes(path, content)

    def finish(
        self,
        weights: Mapping[str, Tensor],
        rows: Sequence[Row],
        predictions: str,
        class_names: Sequence[str],
        result: Mapping[str, Any],
    ) -> None:
        """Writes everything that a finished run keeps, the result last, and drops the training state.

        Raises ValueError, before anything is written, where a number of the result is not finite.
        """
        from kdrun.runs.tensors import weights_bytes

        json_with_digest(result)
        names = [{"class": number, "name": name} for number, name in enumerate(class_names)]
        texts = {METRICS: to_csv(rows), PREDICTIONS: predictions, CLASSES: to_csv(names)}
        contents = {WEIGHTS: weights_bytes(weights)} | {name: text.encode() for name, text in texts.items()}
        for name, content in contents.items():
            atomic.write_bytes(self.path / name, content)
        digests = {name: sha256(content) for name, content in contents.items()}
        own = {"weights_bytes": len(contents[WEIGHTS]), "weights_sha256": digests.pop(WEIGHTS), "files": digests}
        atomic.write_bytes(self.path / RESULT, json_with_digest(dict(result) | own))
        (self.path / STATE).unlink(missing_ok=True)

    def result(self) -> dict[str, Any]:
        """The finished run's result: a row of results.csv."""
        return {name: value for name, value in self._result().items() if name != "files"}

    def weights(self) -> dict[str, Tensor]:
        """The trained network's state dict."""
        from kdrun.runs.tensors import weights_from

        return weights_from(self._content(WEIGHTS))

    def predictions(self) -> Predictions:
        """What the finished network said of each test example."""
        import numpy as np

        head, *lines = self._content(PREDICTIONS).decode().splitlines()
        cells = np.loadtxt(lines, delimiter=",", ndmin=2)
        columns = dict(zip(head.split(","), cells.T, strict=True))
        label, predicted = (columns[name].astype(np.int64) for name in ("label", "predicted"))
        return Predictions(label, predicted, columns["confidence"])

    def epochs(self) -> list[dict[str, str]]:
        """The rows of metrics.csv, as written; none where an unfinished run has no such file yet."""
        if self.is_finished:
            return _rows(self._content(METRICS))
        path = self.path / METRICS
        return _rows(path.read_bytes()) if path.is_file() else []

    def class_names(self) -> list[str]:
        """The names of a finished run's classes in their order."""
        return [row["name"] for row in _rows(self._content(CLASSES))]

    def files(self) -> list[str]:
        """Names of the files that a finished or begun run consists of."""
        if self.is_finished:
            return [SPEC, RESULT, WEIGHTS, METRICS, PREDICTIONS, CLASSES]
        return [SPEC, STATE, METRICS] if self.is_started else []

    def check(self, name: str) -> None:
        """Reads one of `files`, a large one in parts, and raises where it cannot be used."""
        if name == SPEC:
            self._check_description()
        elif name == RESULT:
            self.result()
        elif name == METRICS and not self.is_finished:
            self._check_copied_metrics()
        else:
            with self._reading(name) as path, path.open("rb") as file:
                if name == STATE:
                    check_footer(file, place_of(path))
                elif sha256_of_file(file) != self._digest(name):
                    raise DigestMismatchError(name)

    def set_aside(self) -> Path:
        """Renames the folder, so that the run can be trained anew and nothing is lost.

        Raises UserError where another process trains the run.
        """
        try:
            with self.lock().acquire(timeout=0):
                pass
        except Timeout:
            raise UserError(
                f"{self.path} is damaged and being trained; type the same when that process is done"
            ) from None
        number = 1
        while (aside := self.path.with_name(f"{self.path.name}.damaged-{number}")).exists():
            number += 1
        self.path.rename(aside)
        return aside

    def _result(self) -> dict[str, Any]:
        """The content of result.json, with the digests of other files."""
        with self._reading(RESULT) as path:
            result = checked_json(path.read_bytes())
            if missing := _NEEDED - result.keys():
                raise ValueError(f"it has no {', '.join(missing)}")
            if result["run_id"] != self.path.name:
                raise ValueError(f"it is of {result['run_id']}")
        return result

    def _digest(self, name: str) -> str:
        result = self._result()
        digest: str = result["weights_sha256"] if name == WEIGHTS else result["files"][name]
        return digest

    def _content(self, name: str) -> bytes:
        """The content of a file whose digest is in result.json."""
        with self._reading(name) as path:
            content = path.read_bytes()
            if sha256(content) != self._digest(name):
                raise DigestMismatchError(name)
        return content

    def _check_description(self) -> None:
        with self._reading(SPEC):
            if (run_id := self.description().get("run_id")) != self.path.name:
                raise ValueError(f"it is of {run_id}")

    def _check_copied_metrics(self) -> None:
        """Without a result, metrics.csv has the state's first rows: that is written before it and read after it."""
        with self._reading(METRICS) as path:
            text = path.read_bytes().decode() if path.is_file() else None
            stored = None if text is None else self.load_state()
            if text is not None and stored and text != to_csv(stored[1][: text.count("\n") - 1]):
                raise DigestMismatchError(METRICS)

    @contextmanager
    def _reading(self, name: str) -> Iterator[Path]:
        """Gives a file's path; whatever is raised because the file cannot be used becomes one line that names it."""
        try:
            yield self.path / name
        except (OSError, ValueError) as error:
            raise (made_by_0_1(self.path) if self.is_of_0_1 else DamagedFileError(self.path / name)) from error


def made_by_0_1(path: Path) -> UserError:
    """The one line for a run of kdrun 0.1 that something wants to use."""
    return UserError(
        f"{path} was made by kdrun 0.1, whose runs cannot be continued or reused; "
        "the command that made it trains it anew in this version"
    )


def _rows(content: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(content.decode(), newline="")))


def to_csv(rows: Sequence[Row]) -> str:
    """Rows as CSV text, with the columns of all of them in the order of first appearance."""
    columns = list(dict.fromkeys(column for row in rows for column in row))
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()
