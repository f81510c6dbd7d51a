"""MLflow: a database, sqlite unless another one is named."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from functools import partial
from typing import Any

from kdrun.experiment.measure import identity
from kdrun.runs.spec import RunSpec
from kdrun.trackers import missing

RUN_ID = "kdrun.run_id"


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
        self._metric: Any = Metric
        self._connect: Any = partial(MlflowClient, tracking_uri=uri)  # which makes the database
        self._project = project
        self._client: Any = None
        self._runs: dict[RunSpec, tuple[str, int]] = {}  # MLflow's id, and the last epoch that it has

    def begin(self, spec: RunSpec, epoch: int) -> None:
        experiment = self._experiment()
        found = self._client.search_runs([experiment], f"tags.`{RUN_ID}` = '{spec.run_id}'", max_results=1)
        if found:
            run = found[0].info.run_id
            self._client.update_run(run, status="RUNNING")
            history = self._client.get_metric_history(run, "train_loss")
            self._runs[spec] = run, max((metric.step for metric in history), default=0)
            return
        run = self._client.create_run(experiment, tags={RUN_ID: spec.run_id}, run_name=spec.title).info.run_id
        for name, value in identity(spec).items():
            self._client.log_param(run, name, value)
        self._runs[spec] = run, 0

    def row(self, spec: RunSpec, epoch: int, numbers: Mapping[str, float]) -> None:
        run, last = self._runs[spec]
        if epoch > last:
            self._log(run, epoch, numbers)
            self._runs[spec] = run, epoch

    def end(self, spec: RunSpec, numbers: Mapping[str, float] | None) -> None:
        run, _ = self._runs.pop(spec)
        if numbers is not None:
            self._log(run, spec.recipe["epochs"], numbers)
        self._client.set_terminated(run, status="FINISHED" if numbers is not None else "FAILED")

    def close(self) -> None:
        for run, _ in self._runs.values():
            self._client.set_terminated(run, status="KILLED")

    def _log(self, run: str, epoch: int, numbers: Mapping[str, float]) -> None:
        now = int(1000 * time.time())
        self._client.log_batch(run, [self._metric(name, value, now, epoch) for name, value in numbers.items()])

    def _experiment(self) -> str:
        """The id of MLflow's experiment, made where it is not there."""
        if self._client is None:
            self._client = self._connect()
        found = self._client.get_experiment_by_name(self._project)
        return str(found.experiment_id if found else self._client.create_experiment(self._project))
