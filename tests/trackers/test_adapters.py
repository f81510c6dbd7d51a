"""The three trackers against small stand-ins for their packages, which need not be installed."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, ClassVar

import pytest
from carrying import plan

from kdrun.errors import UserError
from kdrun.runs.spec import RunSpec
from kdrun.trackers import Tracker
from kdrun.trackers.mlflow import Mlflow
from kdrun.trackers.nowhere import Nowhere
from kdrun.trackers.tensorboard import TensorBoard
from kdrun.trackers.wandb import Wandb

ROWS = {epoch: {"train_loss": 1 / epoch, "validation_accuracy": epoch / 10} for epoch in (1, 2, 3)}
RESULT = {"test_accuracy": 0.9}


@pytest.fixture
def spec() -> RunSpec:
    return plan()[0]


def _whole_run(tracker: Tracker, spec: RunSpec) -> None:
    tracker.begin(spec, {})
    for epoch, numbers in ROWS.items():
        tracker.row(spec, epoch, numbers)
    tracker.end(spec, RESULT)


def _cut_off(tracker: Tracker, spec: RunSpec, epochs: int) -> None:
    tracker.begin(spec, {})
    for epoch in range(1, epochs + 1):
        tracker.row(spec, epoch, ROWS[epoch])
    tracker.close()


def _go_on(tracker: Tracker, spec: RunSpec, after: int) -> None:
    """From a state that is older than what the tracker was told."""
    tracker.begin(spec, {epoch: ROWS[epoch] for epoch in range(1, after + 1)})
    for epoch in range(after + 1, 4):
        tracker.row(spec, epoch, ROWS[epoch])
    tracker.end(spec, RESULT)


class Events:
    """SummaryWriter: files in the order they were made, each with what it hides of earlier ones."""

    files: ClassVar[dict[str, list[Events]]] = {}

    def __init__(self, *, log_dir: str, purge_step: int) -> None:
        Path(log_dir).mkdir(parents=True, exist_ok=True)
        self.purge_step, self.scalars, self.is_open = purge_step, [], True
        self.scalars: list[tuple[str, int, float]]
        self.files.setdefault(Path(log_dir).name, []).append(self)

    def add_text(self, tag: str, text: str, *, global_step: int) -> None:
        assert self.is_open

    def add_scalar(self, name: str, value: float, *, global_step: int) -> None:
        assert self.is_open
        self.scalars.append((name, global_step, value))

    def flush(self) -> None:
        pass

    def close(self) -> None:
        self.is_open = False

    @classmethod
    def shown(cls, run: str, name: str) -> list[tuple[int, float]]:
        seen: list[tuple[str, int, float]] = []
        for file in cls.files[run]:
            seen = [one for one in seen if one[1] < file.purge_step] + file.scalars
        return [(step, value) for found, step, value in seen if found == name]


@pytest.fixture
def tensorboard(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> TensorBoard:
    module = ModuleType("torch.utils.tensorboard")
    module.SummaryWriter = Events  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", module)
    monkeypatch.setattr(Events, "files", {})
    return TensorBoard(folder=str(tmp_path / "tensorboard"))


def _losses() -> list[tuple[int, float]]:
    return [(epoch, row["train_loss"]) for epoch, row in ROWS.items()]


def test_tensorboard_has_a_folder_a_run_with_its_rows_and_result(tensorboard: TensorBoard, spec: RunSpec) -> None:
    assert not tensorboard.is_complete(spec)
    _whole_run(tensorboard, spec)
    assert Events.shown(spec.run_id, "train_loss") == _losses()
    assert Events.shown(spec.run_id, "result/test_accuracy") == [(3, 0.9)]
    assert tensorboard.is_complete(spec)
    assert not any(file.is_open for file in Events.files[spec.run_id])


def test_tensorboard_shows_each_row_once_after_a_kill_and_when_a_run_begins_again(
    tensorboard: TensorBoard, spec: RunSpec, tmp_path: Path
) -> None:
    _cut_off(tensorboard, spec, epochs=2)
    again = TensorBoard(folder=str(tmp_path / "tensorboard"))
    again.begin(spec, {})
    _go_on(again, spec, after=1)
    assert Events.shown(spec.run_id, "train_loss") == _losses()
    again.begin(spec, {})
    assert not again.is_complete(spec)


@dataclass
class Database:
    """MlflowClient's store."""

    experiments: dict[str, str] = field(default_factory=dict)
    runs: dict[str, SimpleNamespace] = field(default_factory=dict)


def _mlflow(database: Database) -> tuple[ModuleType, ModuleType]:
    class Client:
        def __init__(self, *, tracking_uri: str) -> None:
            Path(tracking_uri.removeprefix("sqlite:///")).touch()

        def search_experiments(self) -> None:
            pass

        def get_experiment_by_name(self, name: str) -> SimpleNamespace | None:
            found = database.experiments.get(name)
            return SimpleNamespace(experiment_id=found) if found else None

        def create_experiment(self, name: str) -> str:
            return database.experiments.setdefault(name, "1")

        def search_runs(self, experiments: list[str], wanted: str, max_results: int) -> list[SimpleNamespace]:
            return [run for run in database.runs.values() if f"'{run.tags['kdrun.run_id']}'" in wanted]

        def create_run(self, experiment: str, *, tags: dict[str, str], run_name: str) -> SimpleNamespace:
            run_id = f"r{len(database.runs)}"
            info = SimpleNamespace(run_id=run_id, status="RUNNING")
            database.runs[run_id] = SimpleNamespace(info=info, tags=tags, name=run_name, params={}, metrics=[])
            return database.runs[run_id]

        def log_param(self, run: str, name: str, value: object) -> None:
            database.runs[run].params[name] = value

        def log_batch(self, run: str, metrics: list[SimpleNamespace]) -> None:
            database.runs[run].metrics.extend(metrics)

        def get_metric_history(self, run: str, name: str) -> list[SimpleNamespace]:
            return [metric for metric in database.runs[run].metrics if metric.key == name]

        def update_run(self, run: str, *, status: str) -> None:
            database.runs[run].info.status = status

        set_terminated = update_run

    def metric(key: str, value: float, timestamp: int, step: int) -> SimpleNamespace:
        return SimpleNamespace(key=key, value=value, step=step)

    package, entities = ModuleType("mlflow"), ModuleType("mlflow.entities")
    package.MlflowClient, entities.Metric = Client, metric  # type: ignore[attr-defined]
    return package, entities


@pytest.fixture
def database(monkeypatch: pytest.MonkeyPatch) -> Database:
    database = Database()
    package, entities = _mlflow(database)
    monkeypatch.setitem(sys.modules, "mlflow", package)
    monkeypatch.setitem(sys.modules, "mlflow.entities", entities)
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    return database


def _new_mlflow(folder: Path) -> Mlflow:
    return Mlflow(uri=f"sqlite:///{folder}/mlflow.db", project="mine")


def _history(database: Database, name: str) -> list[tuple[int, float]]:
    (run,) = database.runs.values()
    return sorted((metric.step, metric.value) for metric in run.metrics if metric.key == name)


def test_mlflow_has_a_run_with_its_rows_result_and_parameters(
    database: Database, spec: RunSpec, tmp_path: Path
) -> None:
    tracker = _new_mlflow(tmp_path)
    assert not (tmp_path / "mlflow.db").exists()
    assert not tracker.is_complete(spec)
    _whole_run(tracker, spec)
    (run,) = database.runs.values()
    assert (run.name, run.params["model"], run.info.status) == ("teacher mlp30, seed 0", "mlp30", "FINISHED")
    assert _history(database, "train_loss") == _losses()
    assert _history(database, "test_accuracy") == [(3, 0.9)]
    assert tracker.is_complete(spec)
    assert [path.name for path in tmp_path.iterdir()] == ["mlflow.db"]


def test_mlflow_shows_each_row_once_after_a_kill(database: Database, spec: RunSpec, tmp_path: Path) -> None:
    _cut_off(_new_mlflow(tmp_path), spec, epochs=2)
    assert [run.info.status for run in database.runs.values()] == ["KILLED"]
    again = _new_mlflow(tmp_path)
    again.begin(spec, {})
    _go_on(again, spec, after=1)
    assert _history(database, "train_loss") == _losses()


def test_mlflow_marks_a_run_that_failed(database: Database, spec: RunSpec, tmp_path: Path) -> None:
    tracker = _new_mlflow(tmp_path)
    tracker.begin(spec, {})
    tracker.end(spec, None)
    assert [run.info.status for run in database.runs.values()] == ["FAILED"]
    assert not tracker.is_complete(spec)


@dataclass
class WandbRun:
    dir: str
    rows: list[tuple[int, dict[str, float]]] = field(default_factory=list)
    summary: dict[str, float] = field(default_factory=dict)
    ended: int | None = None

    def log(self, row: dict[str, float], *, step: int) -> None:
        assert not self.rows or step > self.rows[-1][0], "wandb drops steps that do not rise"
        self.rows.append((step, row))

    def finish(self, exit_code: int = 0) -> None:
        self.ended = exit_code


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> list[WandbRun]:
    made: list[WandbRun] = []

    def init(*, dir: str, id: str, mode: str, **_given: Any) -> WandbRun:
        assert mode == "offline"
        folder = Path(dir) / "wandb" / f"offline-run-2026_{len(made)}-{id}" / "files"
        folder.mkdir(parents=True)
        made.append(WandbRun(str(folder)))
        return made[-1]

    module = ModuleType("wandb")
    module.init, module.Settings = init, SimpleNamespace  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "wandb", module)
    monkeypatch.setenv("WANDB_ERROR_REPORTING", "false")
    return made


def test_wandb_has_an_offline_run_with_its_rows_and_result(runs: list[WandbRun], spec: RunSpec, tmp_path: Path) -> None:
    tracker = Wandb(folder=str(tmp_path), project="mine")
    assert not tracker.is_complete(spec)
    _whole_run(tracker, spec)
    (run,) = runs
    assert (run.rows, run.summary, run.ended) == (list(ROWS.items()), RESULT, 0)
    assert tracker.is_complete(spec)


def test_wandb_has_one_folder_of_a_run_with_each_row_once_after_a_kill(
    runs: list[WandbRun], spec: RunSpec, tmp_path: Path
) -> None:
    _cut_off(Wandb(folder=str(tmp_path), project="mine"), spec, epochs=2)
    again = Wandb(folder=str(tmp_path), project="mine")
    again.begin(spec, {})
    _go_on(again, spec, after=1)
    (folder,) = tmp_path.glob("wandb/*")
    assert Path(runs[-1].dir).parent == folder
    assert runs[-1].rows == list(ROWS.items())


def test_wandb_does_not_write_elsewhere_where_its_folder_cannot_be_made(
    runs: list[WandbRun], spec: RunSpec, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="file"):
        Wandb(folder=str(tmp_path / "file"), project="mine").begin(spec, {})
    assert runs == []


@pytest.mark.parametrize(
    ("tracker", "package", "given"),
    [
        (TensorBoard, "torch.utils.tensorboard", {"folder": "f"}),
        (Mlflow, "mlflow", {"uri": "sqlite:///x", "project": "p"}),
        (Wandb, "wandb", {"folder": "f", "project": "p"}),
    ],
)
def test_a_missing_package_is_one_line_that_says_what_to_install(
    tracker: Any, package: str, given: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    name = package.rpartition(".")[2]
    with pytest.raises(UserError) as refused:
        tracker(**given)
    assert refused.value.message == (
        f"tracker={name} needs its package: pip install 'kdrun[{name}]', or say tracker=none"
    )


def test_no_tracker_wants_to_be_told_nothing(spec: RunSpec) -> None:
    assert Nowhere().is_complete(spec)
    _whole_run(Nowhere(), spec)
    Nowhere().close()
