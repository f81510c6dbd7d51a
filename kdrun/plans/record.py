"""What a report is made from: a folder with the runs of a plan as CSV, and how they were asked for."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import kdrun
from kdrun.plans import Plan, Use
from kdrun.runs import atomic
from kdrun.runs.folder import to_csv
from kdrun.runs.spec import RunSpec
from kdrun.runs.store import Store

_MEASURED = (
    "epochs",
    "test_accuracy",
    "test_nll",
    "test_ece",
    "test_examples",
    "validation_accuracy",
    "parameters",
    "flops",
    "latency_ms",
    "latency_batch_ms",
    "batch_size",
    "train_seconds",
    "device",
    "precision",
)


def report_name(command: str, plan: Plan) -> str:
    """A name that the same command gives again: command, networks, data set, digest of the runs."""
    first = plan.points[0]
    uses = "\n".join(f"{use.point} {use.role} {use.control} {use.spec.run_id}" for use in plan.uses)
    return f"{command}-{first.teacher}-{first.student}-{first.dataset}-{_digest(uses)}"


def write_record(plan: Plan, store: Store, command: str, command_line: str) -> Path:
    """Writes `runs.csv` (a row for each use of a run) and `report.json`, and returns their folder."""
    name = report_name(command, plan)
    folder = store.outputs / "reports" / name
    atomic.make_folder(folder)
    results = {spec.run_id: store.folder(spec).result() for spec in plan.runs if store.folder(spec).is_finished}
    teachers = {use.point: use.spec for use in plan.uses if use.role == "teacher"}
    agreements = _Agreements(store)
    trained_on = {use.point: results.get(use.spec.run_id, {}) for use in plan.uses if use.role == "teacher"}
    rows = [
        _row(use, plan, results.get(use.spec.run_id, {}), trained_on[use.point])
        | {"agreement": None if use.role == "teacher" else agreements.between(use.spec, teachers[use.point])}
        for use in plan.uses
    ]
    atomic.write_text(folder / "runs.csv", to_csv(rows))
    about = {
        "name": name,
        "command": command_line,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "version": kdrun.__version__,
        "runs": {spec.run_id: spec.description() for spec in plan.runs},  # what `kdrun compare` judges by
    }
    atomic.write_json(folder / "report.json", about)
    return folder


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def _row(use: Use, plan: Plan, result: Mapping[str, Any], teacher: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "point": use.point,
        "role": use.role,
        "control": use.control,
        "seed": use.seed,
        "run_id": use.spec.run_id,
        **asdict(plan.points[use.point]),
        **({"tau": use.spec.tau, "alpha": use.spec.alpha} if use.role == "control" else {}),
        "train_size": None if use.role == "teacher" else result.get("train_examples"),
        "teacher_train_size": teacher.get("train_examples"),
        **{column: result.get(column) for column in _MEASURED},
        "validation_id": _digest(json.dumps(use.spec.dataset, sort_keys=True)),
        "status": "finished" if result else "missing",
    }


class _Agreements:
    """Shares of test examples on which two finished runs give the same class; each run's file is read once."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._predicted: dict[RunSpec, list[str]] = {}

    def between(self, one: RunSpec, other: RunSpec) -> float | None:
        """None where a run is not finished, or the runs were tested on different examples."""
        if not all(self._store.folder(spec).is_finished for spec in (one, other)):
            return None
        ours, theirs = self._of(one), self._of(other)
        if not ours or len(ours) != len(theirs):
            return None
        return sum(map(str.__eq__, ours, theirs)) / len(ours)

    def _of(self, spec: RunSpec) -> list[str]:
        if spec not in self._predicted:
            self._predicted[spec] = self._store.folder(spec).predicted()
        return self._predicted[spec]
