"""What a report is made from: a folder with the runs of a plan as CSV, and how they were asked for."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import kdrun
from kdrun.plans import Plan, Use
from kdrun.plans.collect import Counted, collected, counted
from kdrun.plans.examples import example_columns
from kdrun.runs import atomic
from kdrun.runs.folder import RunFolder, to_csv
from kdrun.runs.identity import text
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
    "special_classes",
    "device",
    "precision",
    "hardware",
    "threads",
    "kdrun",
    "commit",
    "torch",
    "python",
    "system",
)


def report_name(command: str, plan: Plan) -> str:
    """A name that the same command gives again: command, networks, data set, digest of the runs."""
    first = plan.points[0]
    uses = "\n".join(f"{use.point} {use.role} {use.control} {use.spec.run_id}" for use in plan.uses)
    names = dict.fromkeys(filter(None, (first.teacher, first.student, first.dataset)))
    return f"{command}-{'-'.join(names)}-{_digest(uses)}"


def write_record(plan: Plan, store: Store, command: str, command_line: str) -> Path:
    """Writes what a report is made from, and returns its folder.

    runs.csv: a row for each use of a run (`own_epochs`: 0 where it is put together, and `epochs` its parents');
    report.json: how they were asked for; `collected`: what the pictures need.
    """
    name = report_name(command, plan)
    folder = store.outputs / "reports" / name
    atomic.make_folder(folder)
    finished = {spec: store.folder(spec) for spec in plan.runs if store.folder(spec).is_finished}
    counts = {spec: counted(spec, run) for spec, run in finished.items()}
    rows = _rows(plan, finished, counts)
    for file, content in collected(finished, counts).items():
        if content:
            atomic.write_text(folder / file, to_csv(content))
    atomic.write_text(folder / "runs.csv", to_csv(rows))
    about = {
        "name": name,
        "command": command_line,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "version": kdrun.__version__,
        "runs": {spec.run_id: spec.description() for spec in plan.runs},  # what `kdrun compare` judges by
        "rows": len(rows),
    }
    atomic.write_json(folder / "report.json", about)
    return folder


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def _rows(plan: Plan, finished: Mapping[RunSpec, RunFolder], counts: Mapping[RunSpec, Counted]) -> list[dict[str, Any]]:
    results = {spec: run.result() for spec, run in finished.items()}
    return [
        _row(
            use,
            plan,
            results.get(use.spec, {}),
            results.get(use.teacher, {}) if use.teacher else {},
            {
                "agreement": _agreement(use, counts),
                **example_columns(use.spec, finished.get(use.spec), counts.get(use.spec), results.get(use.spec, {})),
            },
        )
        for use in plan.uses
    ]


def _row(
    use: Use, plan: Plan, result: Mapping[str, Any], teacher: Mapping[str, Any], seen: Mapping[str, Any]
) -> dict[str, Any]:
    return {
        "point": use.point,
        "role": use.role,
        "control": use.control,
        "seed": use.seed,
        "run_id": use.spec.run_id,
        **asdict(plan.points[use.point]),
        **(_of_control(use.spec) if use.role == "control" else {}),
        "train_size": None if use.role == "teacher" else result.get("train_examples"),
        "teacher_train_size": result.get("train_examples") if use.role == "teacher" else teacher.get("train_examples"),
        **{column: result.get(column) for column in _MEASURED},
        "own_epochs": use.spec.recipe["epochs"],
        **seen,
        "validation_id": _digest(text(use.spec.identity["dataset"])),
        "status": "finished" if result else "missing",
    }


def _of_control(spec: RunSpec) -> dict[str, Any]:
    """Its own numbers, which the point's are not."""
    return {
        "tau": spec.tau,
        "alpha": spec.alpha,
        "label_weight": spec.last_label_weight,
        "tau_schedule": "",
        "alpha_schedule": "",
    }


def _agreement(use: Use, counts: Mapping[RunSpec, Counted]) -> float | None:
    """The share of test examples to which a student and its teacher give the same class.

    None without a teacher, where one of the two is not finished, and where they were tested on different examples.
    """
    if use.teacher is None or use.spec not in counts or use.teacher not in counts:
        return None
    ours, theirs = counts[use.spec].predicted, counts[use.teacher].predicted
    return float((ours == theirs).mean()) if len(ours) == len(theirs) else None
