"""Weights & Biases: a folder of runs that `wandb sync` sends, or its server."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kdrun.experiment.measure import identity
from kdrun.runs.spec import RunSpec
from kdrun.trackers import missing

LAST = "kdrun-last-epoch"  # beside wandb's own files of a run, which do not say it before they are sent


class Wandb:
    """Writes runs to a folder, and sends them where that is asked for.

    folder: wandb makes its folder `wandb` in it. project: wandb's. mode: offline or online.
    """

    def __init__(self, *, folder: str, project: str, mode: str) -> None:
        os.environ.setdefault("WANDB_ERROR_REPORTING", "false")
        try:
            import wandb
        except ImportError as error:
            raise missing("wandb") from error
        self._wandb: Any = wandb
        self._folder, self._project, self._mode = Path(folder), project, mode
        self._runs: dict[RunSpec, tuple[Any, int]] = {}  # wandb's run, and the last epoch that it has

    def begin(self, spec: RunSpec, epoch: int) -> None:
        if spec in self._runs:
            self._runs.pop(spec)[0].finish()
        last = max((int(path.read_text()) for path in self._folder.glob(f"wandb/*-{_id(spec)}/{LAST}")), default=0)
        run = self._wandb.init(
            project=self._project,
            id=_id(spec),
            name=spec.title,
            group=f"{spec.kind} {spec.model['name']}",
            config=identity(spec),
            dir=str(self._folder),
            mode=self._mode,
            resume="allow",
            reinit="create_new",
            settings=self._wandb.Settings(silent=True, console="off"),
        )
        self._runs[spec] = run, last

    def row(self, spec: RunSpec, epoch: int, numbers: Mapping[str, float]) -> None:
        run, last = self._runs[spec]
        if epoch > last:
            run.log(dict(numbers), step=epoch)
            (Path(run.dir).parent / LAST).write_text(str(epoch))
            self._runs[spec] = run, epoch

    def end(self, spec: RunSpec, numbers: Mapping[str, float] | None) -> None:
        run, _ = self._runs.pop(spec)
        run.summary.update(dict(numbers or {}))
        run.finish(exit_code=0 if numbers is not None else 1)

    def close(self) -> None:
        for run, _ in self._runs.values():
            run.finish(exit_code=1)


def _id(spec: RunSpec) -> str:
    return spec.fingerprint
