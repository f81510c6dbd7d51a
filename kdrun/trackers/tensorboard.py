"""TensorBoard: event files in a folder, one folder a run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kdrun.runs.spec import RunSpec
from kdrun.trackers import missing


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

    def begin(self, spec: RunSpec, epoch: int) -> None:
        if spec in self._writers:
            self._writers.pop(spec).close()
        # What an earlier file holds of this epoch and later ones is hidden by it.
        writer = self._make(log_dir=str(self._folder / spec.run_id), purge_step=epoch)
        writer.add_text("run", spec.title, global_step=epoch)
        self._writers[spec] = writer

    def row(self, spec: RunSpec, epoch: int, numbers: Mapping[str, float]) -> None:
        for name, value in numbers.items():
            self._writers[spec].add_scalar(name, value, global_step=epoch)
        self._writers[spec].flush()

    def end(self, spec: RunSpec, numbers: Mapping[str, float] | None) -> None:
        writer = self._writers.pop(spec)
        for name, value in (numbers or {}).items():
            writer.add_scalar(f"result/{name}", value, global_step=spec.recipe["epochs"])
        writer.close()

    def close(self) -> None:
        for writer in self._writers.values():
            writer.close()
