"""One run's folder: what is in it, and how it gets there so that no kill loses or doubles anything.

spec.json            what the run is, and how it began
metrics.csv          a row for each finished epoch
state.pt             the training state, until the run is finished
weights.safetensors  the trained network
predictions.csv      what it said of each test example
classes.csv          the names of the classes
failure.txt          why the last attempt at the run failed, with the traceback
result.json          the row of results.csv; its presence means that the run is finished
lock                 held by the process that trains the run
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import pickle
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from filelock import FileLock

from kdrun.errors import UserError
from kdrun.runs import atomic
from kdrun.runs.spec import RunSpec

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

Row = Mapping[str, Any]

_NEEDED = {"run_id", "test_accuracy", "test_examples", "train_seconds", "weights_bytes", "weights_sha256"}


class Predictions(NamedTuple):
    """Columns of predictions.csv (N,), an entry for each test example: class indices, and confidence in [0, 1]."""

    label: NDArray[np.int64]
    predicted: NDArray[np.int64]
    confidence: NDArray[np.float64]


class RunFolder:
    """Reads and writes the files of one run. Writing raises UserError where the disk refuses (see `atomic`)."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def lock(self) -> FileLock:
        """The lock that says who trains this run; freed by the system when its process dies."""
        atomic.make_folder(self.path)
        return FileLock(self.path / "lock")

    @property
    def is_finished(self) -> bool:
        return (self.path / "result.json").is_file()

    @property
    def is_started(self) -> bool:
        return (self.path / "state.pt").is_file()

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
        atomic.write_json(self.path / "spec.json", spec.description() | {"title": spec.title, **notes})

    def save_state(self, state: Mapping[str, Any], rows: Sequence[Row]) -> None:
        """Keeps a training state with the epochs before it; both files are written whole, the rows first.

        The rows are part of the state as well, so a kill between the two writes cannot set them apart.
        """
        import torch

        buffer = io.BytesIO()
        torch.save({"training": dict(state), "rows": [dict(row) for row in rows]}, buffer)
        atomic.write_text(self.path / "metrics.csv", to_csv(rows))
        atomic.write_bytes(self.path / "state.pt", buffer.getvalue())

    def load_state(self) -> tuple[dict[str, Any], list[Row]] | None:
        """The training state and its rows, or None where the run was not begun.

        Raises UserError naming the file when it is damaged.
        """
        path = self.path / "state.pt"
        if not path.is_file():
            return None
        import torch

        try:
            stored = torch.load(path, map_location="cpu", weights_only=True)
            return stored["training"], stored["rows"]
        except (RuntimeError, EOFError, KeyError, ValueError, pickle.UnpicklingError) as error:
            raise damaged(path) from error

    def finish(
        self,
        weights: Mapping[str, Tensor],
        rows: Sequence[Row],
        predictions: str,
        class_names: Sequence[str],
        result: Mapping[str, Any],
    ) -> None:
        """Writes everything that a finished run keeps, the result last, and drops the training state."""
        from safetensors.torch import save

        content = save({name: tensor.detach().cpu().contiguous() for name, tensor in weights.items()})
        atomic.write_bytes(self.path / "weights.safetensors", content)
        atomic.write_text(self.path / "metrics.csv", to_csv(rows))
        atomic.write_text(self.path / "predictions.csv", predictions)
        names = [{"class": number, "name": name} for number, name in enumerate(class_names)]
        atomic.write_text(self.path / "classes.csv", to_csv(names))
        proof = {"weights_bytes": len(content), "weights_sha256": hashlib.sha256(content).hexdigest()}
        atomic.write_json(self.path / "result.json", dict(result) | proof)
        (self.path / "state.pt").unlink(missing_ok=True)

    def result(self) -> dict[str, Any]:
        """The finished run's result. Raises UserError naming the file when it is damaged."""
        path = self.path / "result.json"
        try:
            result: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            if missing := _NEEDED - result.keys():
                raise KeyError(*missing)
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise damaged(path) from error
        return result

    def check(self, *, thorough: bool) -> None:
        """Raises UserError naming the file of a finished run that is damaged or cut short.

        thorough: read the weights as well; otherwise their length is looked at, and `weights` finds the rest.
        """
        result, path = self.result(), self.path / "weights.safetensors"
        if not path.is_file() or path.stat().st_size != result["weights_bytes"]:
            raise damaged(path)
        if len(self.predictions().label) != result["test_examples"]:
            raise damaged(self.path / "predictions.csv")
        if thorough:
            self.weights()

    def weights(self) -> dict[str, Tensor]:
        """The trained network's state dict. Raises UserError when the file is not what the run wrote."""
        from safetensors.torch import load

        path = self.path / "weights.safetensors"
        content = path.read_bytes() if path.is_file() else b""
        if hashlib.sha256(content).hexdigest() != self.result()["weights_sha256"]:
            raise damaged(path)
        weights: dict[str, Tensor] = load(content)
        return weights

    def predictions(self) -> Predictions:
        """What the finished network said of each test example. Raises UserError when the file is damaged."""
        import numpy as np

        path = self.path / "predictions.csv"
        try:
            head, first, *others = path.read_text(encoding="utf-8").splitlines()
            cells = np.loadtxt([first, *others], delimiter=",", ndmin=2)
            columns = dict(zip(head.split(","), cells.T, strict=True))
            label, predicted = (columns[name].astype(np.int64) for name in ("label", "predicted"))
            return Predictions(label, predicted, columns["confidence"])
        except (OSError, KeyError, ValueError) as error:
            raise damaged(path) from error

    def epochs(self) -> list[dict[str, str]]:
        """The rows of metrics.csv as written; none where the file is missing, and none that was cut short."""
        return _whole_rows(self.path / "metrics.csv")

    def class_names(self) -> list[str]:
        """The names of the classes in their order; none where an earlier version made the run."""
        return [row["name"] for row in _whole_rows(self.path / "classes.csv") if "name" in row]

    def set_aside(self) -> Path:
        """Renames the folder, so that the run can be trained anew and nothing is lost."""
        number = 1
        while (aside := self.path.with_name(f"{self.path.name}.damaged-{number}")).exists():
            number += 1
        self.path.rename(aside)
        return aside


def damaged(path: Path) -> UserError:
    """The one line for a file of a run that cannot be used."""
    return UserError(f"{path} is damaged or missing; add --retrain-damaged to set its run aside and train it again")


def _whole_rows(path: Path) -> list[dict[str, str]]:
    """Rows with a value for each column of the head. A last line without its end may have lost part of a number."""
    try:
        text = path.read_bytes().decode()
    except (OSError, ValueError):
        return []
    whole = io.StringIO(text[: text.rfind("\n") + 1], newline="")
    return [row for row in csv.DictReader(whole) if None not in row and None not in row.values()]


def to_csv(rows: Sequence[Row]) -> str:
    """Rows as CSV text, with the columns of all of them in the order of first appearance."""
    columns = list(dict.fromkeys(column for row in rows for column in row))
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()
