"""A builder of synthetic report folders: what the planner would have written, without training."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from kdrun.reports.reading import read_runs

COLUMNS = (
    "point role control seed run_id dataset teacher student knowledge mode tau alpha overrides variant train_size "
    "teacher_train_size epochs test_accuracy test_nll test_ece test_examples validation_accuracy agreement "
    "parameters flops latency_ms train_seconds device precision latency_batch_ms batch_size "
    "validation_id own_epochs tau_schedule alpha_schedule hardware kdrun torch status"
)
COMMON = {
    "dataset": "mnist5k",
    "teacher": "big",
    "student": "small",
    "mode": "offline",
    "train_size": 1000,
    "teacher_train_size": 3500,
    "epochs": 20,
    "test_examples": 1500,
    "device": "cpu",
    "precision": "fp32",
    "batch_size": 64,
    "validation_id": "v",
    "status": "finished",
}
TEACHER = {"parameters": 300_000, "flops": 600_000, "latency_ms": 0.3, "latency_batch_ms": 3.0, "train_seconds": 9.0}
STUDENT = {"parameters": 60_000, "flops": 120_000, "latency_ms": 0.1, "latency_batch_ms": 0.5, "train_seconds": 3.0}
BASELINE = (0.880, 0.890, 0.895, 0.885, 0.890)
SMOOTHING = (0.006, 0.002, 0.007, 0.001, 0.004)  # gains of label smoothing, seed by seed
WOBBLE = (0.004, -0.003, 0.001, -0.004, 0.002)  # spread of a student's gain


class Runs:
    """Collects rows of runs.csv, one point after the other."""

    def __init__(self, seeds: int = 5) -> None:
        self.seeds = range(seeds)
        self.rows: list[dict[str, object]] = []

    def add(self, point: int, role: str, seed: int, accuracy: float, **given: object) -> None:
        own = {
            "point": point,
            "role": role,
            "seed": seed,
            "test_accuracy": accuracy,
            "run_id": f"{role}-{seed}",
        }
        scores = {"test_nll": 1 - accuracy, "test_ece": (1 - accuracy) / 4, "agreement": accuracy - 0.01}
        cost = TEACHER if role == "teacher" else STUDENT
        row = COMMON | cost | scores | {"control": "", "tau": 4.0, "alpha": 0.7} | own | given
        if row["status"] == "missing":
            row = {name: value for name, value in row.items() if name not in (*scores, *cost, "test_accuracy")}
        self.rows.append(row)

    def point(
        self,
        number: int = 0,
        gain: float = 0.03,
        controls: tuple[str, ...] = ("label_smoothing",),
        validation: float | None = None,
        missing: tuple[int, ...] = (),
        baseline: str = "baseline",
        teachers: tuple[float, ...] = (0.94,),
        **given: object,
    ) -> Runs:
        """Teachers, baseline, controls and students of one row; every control gains what smoothing gains.

        teachers: accuracies of the one teacher, of one for each seed, or of none.
        """
        given |= {} if teachers else {"teacher": "", "agreement": None}
        told = {"knowledge": "kd"} | given
        for seed, accuracy in enumerate(teachers):
            run_id = f"teacher-{given.get('teacher', 'big')}" + (f"-{seed}" if len(teachers) > 1 else "")
            self.add(number, "teacher", seed, accuracy, **(given | {"run_id": run_id}))
        for seed in self.seeds:
            self.add(number, "baseline", seed, BASELINE[seed], **(given | {"run_id": f"{baseline}-{seed}"}))
            for control in controls:
                smoothed = BASELINE[seed] + SMOOTHING[seed]
                own = {"control": control, "run_id": f"{control}-{baseline}-{seed}"}
                self.add(number, "control", seed, smoothed, **(given | own))
            status = {
                "status": "missing" if seed in missing else "finished",
                "validation_accuracy": validation,
            }
            own = {"run_id": f"student-{number}-{seed}"}
            self.add(number, "student", seed, BASELINE[seed] + gain + WOBBLE[seed], **(told | status | own))
        return self

    def write_details(self, folder: Path, class_names: tuple[str, ...] = tuple("0123456789")) -> Path:
        """Epochs and counts of predictions of every finished run: the wrong ones are taken for the next class."""
        curves, confusion, reliability = [], [], []
        for row in {row["run_id"]: row for row in self.rows if row["status"] == "finished"}.values():
            run_id, accuracy, examples = row["run_id"], float(str(row["test_accuracy"])), 1500
            curves += [
                {"run_id": run_id, "epoch": e, "train_loss": 2 / e, "validation_accuracy": accuracy * (1 - 0.5 / e)}
                for e in range(1, 21 if "own_epochs" not in row else 1)
            ]
            for label in range(len(class_names)):
                of = len(range(label, examples, len(class_names)))
                right = round(of * accuracy)
                taken = (label, right), ((label + 1) % len(class_names), of - right)
                confusion += [{"run_id": run_id, "label": label, "predicted": p, "examples": n} for p, n in taken if n]
            correct = sum(
                int(str(c["examples"])) for c in confusion if c["run_id"] == run_id and c["label"] == c["predicted"]
            )
            reliability += [
                {"run_id": run_id, "bin": 9, "examples": 500, "correct": 400, "confidence_sum": 310.0},
                {"run_id": run_id, "bin": 14, "examples": 1000, "correct": correct - 400, "confidence_sum": 980.0},
            ]
        classes = [{"dataset": COMMON["dataset"], "class": k, "name": name} for k, name in enumerate(class_names)]
        files = {"curves": curves, "confusion": confusion, "reliability": reliability, "classes": classes}
        for name, rows in files.items():
            pd.DataFrame(rows).to_csv(folder / f"{name}.csv", index=False)
        return folder

    def write(self, folder: Path, **notes: object) -> Path:
        """The folder with its two files."""
        folder.mkdir(parents=True, exist_ok=True)
        told = {
            "name": "night",
            "command": "kdrun distill tau=4",
            "created": "2025-01-02T03:04:05",
            "version": "0.1",
        }
        (folder / "report.json").write_text(json.dumps(told | notes))
        pd.DataFrame(self.rows, columns=COLUMNS.split()).to_csv(folder / "runs.csv", index=False)
        return folder


@pytest.fixture(scope="session")
def runs() -> type[Runs]:
    """The builder: `runs(seeds=5).point(0, gain=0.03).write(folder)`."""
    return Runs


@pytest.fixture
def read(tmp_path: Path) -> Callable[[Runs], pd.DataFrame]:
    """The rows as a report reads them back from its CSV."""
    return lambda built: read_runs(built.write(tmp_path / "report") / "runs.csv").rows


@pytest.fixture
def twins() -> Runs:
    """Temperatures 1 and 2 of a term that ignores them: the same student runs; then another point."""
    built = Runs()
    for number, (tau, gain) in enumerate([(1, 0.03), (2, 0.03), (4, 0.006)]):
        validation = 0.9 - number // 2 / 100
        built.point(number, gain, tau=None, knowledge="logit_mse", overrides=f"tau={tau}", validation=validation)
    for row in built.rows:
        if row["role"] == "student" and row["point"] == 1:
            row["run_id"] = f"student-0-{row['seed']}"
    return built


@pytest.fixture
def tau_sweep() -> Runs:
    """Five temperatures with one baseline and one set of smoothed controls; validation prefers tau 4."""
    built = Runs()
    for number, (tau, gain) in enumerate([(1, 0.002), (2, 0.02), (4, 0.029), (8, 0.031), (16, 0.027)]):
        validation = 0.9 - abs(number - 2) / 100
        built.point(number, gain, tau=tau, overrides=f"tau={tau}", validation=validation)
    return built


@pytest.fixture
def generations() -> Runs:
    """Born-again networks: the teacher of a row is, for each seed, the student of the row before."""
    built = Runs()
    for number, gain in enumerate((0.004, 0.012, 0.013)):
        before = tuple(accuracy - 0.002 * (number > 0) + 0.006 * number for accuracy in BASELINE)
        name = f"small of generation {number}" if number else "small"
        given = {"variant": f"generation {number + 1}", "mode": "born_again", "teacher": name}
        built.point(number, gain, validation=0.9 + number / 1000, teachers=before, **given)
    return built


@pytest.fixture
def peers() -> Runs:
    """Mutual learning: networks without any teacher, put together (no epochs of their own), with their mean."""
    built = Runs()
    for number, (variant, gain) in enumerate([("peer 1", 0.008), ("peer 2", 0.001), ("peers' ensemble", 0.02)]):
        built.point(number, gain, validation=0.9, teachers=(), variant=variant, mode="online")
    for row in built.rows:
        if row["role"] == "student":
            row |= {"own_epochs": 0, "train_seconds": 6.0}
    return built


@pytest.fixture
def assistants() -> Runs:
    """One student, taught by the teacher and by an assistant between them."""
    built = Runs().point(0, 0.01, validation=0.90, variant="direct", mode="assistant")
    return built.point(1, 0.02, validation=0.91, variant="via mid", mode="assistant", teacher="mid", teachers=(0.92,))


@pytest.fixture
def omitted() -> Runs:
    """A student that was not shown every class, and the same with its biases mended."""
    built = Runs().point(0, -0.05, validation=0.85)
    return built.point(1, 0.02, validation=0.91, variant="offset")


@pytest.fixture
def new_kinds(generations: Runs, peers: Runs, assistants: Runs, omitted: Runs) -> dict[str, Runs]:
    """Reports with several rows at one point."""
    return {"generations": generations, "peers": peers, "assistants": assistants, "omitted": omitted}
