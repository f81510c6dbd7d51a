"""TensorBoard: event files, one folder a run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kdrun.runs.spec import RunSpec
from kdrun.trackers import COMPLETE, Numbers, missing


class TensorBoard:
    """Writes what `tensorboard --logdir FOLDER` shows.

    folder: of all runs, each in a folder named by its run id.
    """

    def __init__(self, *, folder: str) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as error:
            raise missing("tensorboard") from error
        self._make: Any = SummaryWriter
        self._folder = Path(folder)
        self._writers: dict[RunSpec, Any] = {}

    def is_complete(self, spec: RunSpec) -> bool:
        return self._mark(spec).is_file()

    def begin(self, spec: RunSpec, rows: Mapping[int, Numbers]) -> None:
        self._mark(spec).unlink(missing_ok=True)
        if spec in self._writers:
            self._writers.pop(spec).close()
        # Whatever earlier files hold from step 1 on is hidden by this one.
        self._writers[spec] = self._make(log_dir=str(self._folder / spec.run_id), purge_step=1)
        self._writers[spec].add_text("run", spec.title, global_step=1)
        for epoch, numbers in rows.items():
            self.row(spec, epoch, numbers)

    def row(self, spec: RunSpec, epoch: int, numbers: Numbers) -> None:
        for name, value in numbers.items():
            self._writers[spec].add_scalar(name, value, global_step=epoch)
        self._writers[spec].flush()

    def end(self, spec: RunSpec, numbers: Numbers | None) -> None:
        if numbers is not None:
            self.row(spec, spec.recipe["epochs"], {f"result/{name}": value for name, value in numbers.items()})
            self._mark(spec).touch()
        self._writers.pop(spec).close()

    def close(self) -> None:
        for writer in self._writers.values():
            writer.close()

    def _mark(self, spec: RunSpec) -> Path:
        return self._folder / spec.run_id / COMPLETE
