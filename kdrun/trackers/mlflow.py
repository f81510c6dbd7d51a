"""MLflow: a database, sqlite unless another one is named."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from kdrun.experiment.measure import identity
from kdrun.runs.spec import RunSpec
from kdrun.trackers import Numbers, missing

RUN_ID = "kdrun.run_id"
SQLITE = "sqlite:///"


class _Shown(NamedTuple):
    """A run as MLflow has it: its id there, and the epochs whose rows it has, since it keeps every one it is given."""

    id: str
    epochs: set[int]


class Mlflow:
    """Writes what `mlflow ui --backend-store-uri URI` shows.

    uri: such as sqlite:///outputs/mlflow.db. project: MLflow's experiment.
    """

    def __init__(self, *, uri: str, project: str) -> None:
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
        try:
            from mlflow import MlflowClient
            from mlflow.entities import Metric
        except ImportError as error:
            raise missing("mlflow") from error
        logging.getLogger("mlflow").setLevel(logging.WARNING)
        self._client_of: Any = MlflowClient
        self._metric: Any = Metric
        self._uri, self._project = uri, project
        self._runs: dict[RunSpec, _Shown] = {}  # that have begun

    def is_complete(self, spec: RunSpec) -> bool:
        found = self._found(spec)
        return found is not None and found.status == "FINISHED"

    def begin(self, spec: RunSpec, rows: Mapping[int, Numbers]) -> None:
        found = self._found(spec)
        self._runs[spec] = _Shown(self._new(spec), set()) if found is None else self._taken_up(found.run_id)
        for epoch, numbers in rows.items():
            self.row(spec, epoch, numbers)

    def row(self, spec: RunSpec, epoch: int, numbers: Numbers) -> None:
        run = self._runs[spec]
        if epoch not in run.epochs:
            self._log(run.id, epoch, numbers)
            run.epochs.add(epoch)

    def end(self, spec: RunSpec, numbers: Numbers | None) -> None:
        run = self._runs.pop(spec)
        if numbers is not None:
            self._log(run.id, spec.recipe["epochs"], numbers)
        self._client.set_terminated(run.id, status="FINISHED" if numbers is not None else "FAILED")

    def close(self) -> None:
        for run in self._runs.values():
            self._client.set_terminated(run.id, status="KILLED")

    def _log(self, run: str, epoch: int, numbers: Numbers) -> None:
        now = int(1000 * time.time())
        self._client.log_batch(run, [self._metric(name, value, now, epoch) for name, value in numbers.items()])

    @cached_property
    def _client(self) -> Any:
        """A new sqlite file is made under another name first: one that is cut off meanwhile cannot be opened again."""
        path = Path(self._uri.removeprefix(SQLITE))
        if self._uri.startswith(SQLITE) and not path.exists():
            draft = path.with_name(f".{path.name}.{os.getpid()}.tmp")
            self._client_of(tracking_uri=f"{SQLITE}{draft}").search_experiments()
            draft.replace(path)
        return self._client_of(tracking_uri=self._uri)

    @cached_property
    def _experiment(self) -> str:
        found = self._client.get_experiment_by_name(self._project)
        return str(found.experiment_id if found else self._client.create_experiment(self._project))

    def _found(self, spec: RunSpec) -> Any:
        """What MLflow knows of a run; None where it knows nothing."""
        wanted = f"tags.`{RUN_ID}` = '{spec.run_id}'"
        return next((run.info for run in self._client.search_runs([self._experiment], wanted, max_results=1)), None)

    def _taken_up(self, run: str) -> _Shown:
        self._client.update_run(run, status="RUNNING")
        return _Shown(run, {metric.step for metric in self._client.get_metric_history(run, "train_loss")})

    def _new(self, spec: RunSpec) -> str:
        run = self._client.create_run(self._experiment, tags={RUN_ID: spec.run_id}, run_name=spec.title)
        for name, value in identity(spec).items():
            self._client.log_param(run.info.run_id, name, value)
        return str(run.info.run_id)
