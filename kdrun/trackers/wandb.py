"""Weights & Biases, offline: folders that `wandb sync` sends."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from kdrun.experiment.measure import identity
from kdrun.runs.spec import RunSpec
from kdrun.trackers import COMPLETE, Numbers, missing


class Wandb:
    """Writes runs to a folder and sends nothing.

    folder: wandb makes its folder `wandb` in it. project: wandb's.
    """

    def __init__(self, *, folder: str, project: str) -> None:
        os.environ.setdefault("WANDB_ERROR_REPORTING", "false")
        try:
            import wandb
        except ImportError as error:
            raise missing("wandb") from error
        self._wandb: Any = wandb
        self._folder, self._project = Path(folder), project
        self._runs: dict[RunSpec, Any] = {}

    def is_complete(self, spec: RunSpec) -> bool:
        return any((path / COMPLETE).is_file() for path in self._folders(spec))

    def begin(self, spec: RunSpec, rows: Mapping[int, Numbers]) -> None:
        if spec in self._runs:
            self._runs.pop(spec).finish()
        for path in self._folders(spec):
            shutil.rmtree(path)  # wandb cannot go on with a folder, and one that was cut off lacks its last rows
        self._folder.mkdir(parents=True, exist_ok=True)  # or wandb would write elsewhere where it cannot
        self._runs[spec] = self._wandb.init(
            project=self._project,
            id=spec.fingerprint,
            name=spec.title,
            group=f"{spec.kind} {spec.model['name']}",
            config=identity(spec),
            dir=str(self._folder),
            mode="offline",
            reinit="create_new",  # several at once
            settings=self._wandb.Settings(silent=True, console="off"),
        )
        for epoch, numbers in rows.items():
            self.row(spec, epoch, numbers)

    def row(self, spec: RunSpec, epoch: int, numbers: Numbers) -> None:
        self._runs[spec].log(dict(numbers), step=epoch)

    def end(self, spec: RunSpec, numbers: Numbers | None) -> None:
        run = self._runs.pop(spec)
        run.summary.update(dict(numbers or {}))
        run.finish(exit_code=0 if numbers is not None else 1)
        if numbers is not None:
            (Path(run.dir).parent / COMPLETE).touch()

    def close(self) -> None:
        for run in self._runs.values():
            run.finish(exit_code=1)

    def _folders(self, spec: RunSpec) -> Iterator[Path]:
        return self._folder.glob(f"wandb/offline-run-*-{spec.fingerprint}")
