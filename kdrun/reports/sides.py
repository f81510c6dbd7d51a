"""What `kdrun compare` sets side by side: the finished runs of a report, or one run, with what each run is."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pandas import DataFrame

from kdrun.errors import UserError
from kdrun.reports import wording
from kdrun.reports.comparison import comparison
from kdrun.reports.points import points
from kdrun.reports.reading import read_notes, read_runs
from kdrun.runs.folder import RunFolder

Spec = Mapping[str, Any]


@dataclass(frozen=True)
class Trained:
    """A finished run. spec: its description, see `RunSpec.description`; empty where it is not known."""

    run_id: str
    seed: int
    spec: Spec
    accuracy: float
    nll: float
    ece: float
    train_examples: float
    test_examples: float
    epochs: float
    device: str


@dataclass(frozen=True)
class Entry:
    """Runs that differ in their seed only: a line of the table.

    side: the letter of what it belongs to. name: what it is called there.
    planned: how many runs there should be. own: its gain over its own baseline, where its report has one.
    """

    side: str
    role: str
    name: str
    dataset: str
    model: str
    planned: int
    runs: tuple[Trained, ...]
    own: wording.Row


@dataclass(frozen=True)
class Side:
    """One thing that was named. lead: the place of the entry that others are paired with; None where none stands out.

    told: where it comes from, in words.
    """

    letter: str
    folder: Path
    told: str
    entries: tuple[Entry, ...]
    lead: int | None


def read_side(folder: Path, letter: str) -> Side:
    """A folder of a report or of a finished run. Raises UserError naming the file that is missing or damaged."""
    return _report(folder, letter) if (folder / "report.json").is_file() else _run(RunFolder(folder), letter)


def _run(folder: RunFolder, letter: str) -> Side:
    if not folder.is_finished:
        raise UserError(f"{folder.path} is no report and no finished run; `kdrun runs` lists what there is")
    result, spec = folder.result(), folder.description()
    parts = [path for one in _made_of(spec) for path in folder.path.parent.glob(f"*-{one}")]
    cohorts = {path.name: RunFolder(path).description() for path in parts if "peer" in spec["model"]}
    own = _numbers(result, _as_trained(spec, cohorts), str(result["run_id"]))
    names = (str(spec.get("title", own.run_id)), str(result.get("dataset", "")), str(result.get("model", "")))
    entry = Entry(letter, str(result.get("kind", "")), *names, planned=1, runs=(own,), own={})
    return Side(letter, folder.path, "one run", (entry,), lead=0)


def _report(folder: Path, letter: str) -> Side:
    notes, runs = read_notes(folder / "report.json"), read_runs(folder / "runs.csv").rows
    entries = tuple(_entries(runs, _specs(folder, notes), letter))
    students = [number for number, entry in enumerate(entries) if entry.role == "student"]
    selected = [number for number in students if entries[number].own["selected"]]
    chosen = students if len(students) == 1 else selected
    return Side(letter, folder, str(notes["command"]), entries, chosen[0] if len(chosen) == 1 else None)


def _specs(folder: Path, notes: Mapping[str, Any]) -> Mapping[str, Spec]:
    specs = notes.get("runs", {})
    if not isinstance(specs, dict):
        raise UserError(f"{folder / 'report.json'} is damaged: run the command that made the report again")
    return specs


def _as_trained(spec: Spec, specs: Mapping[str, Spec]) -> Spec:
    """What a run was trained as: for one network of a cohort, the cohort's run with this network for its model.

    specs: by run id; that of the cohort among them.
    """
    if "peer" not in spec.get("model", {}):
        return spec
    (fingerprint,) = _made_of(spec)
    for run_id, cohort in specs.items():
        if run_id.endswith(f"-{fingerprint}"):
            return {**cohort, "model": cohort["model"]["members"][spec["model"]["peer"] - 1]}
    return {}


def _made_of(spec: Spec) -> Sequence[str]:
    """Fingerprints of the runs that a run is made of; kdrun 0.1 called them parents, as all others."""
    found: Sequence[str] = spec.get("made_of") or spec.get("parents", ())
    return found


def _entries(runs: DataFrame, specs: Mapping[str, Spec], letter: str) -> Iterator[Entry]:
    """Teachers, then for each set of baselines that and its controls, and students."""
    rows = wording.records(comparison(runs))
    students = [row for row in rows if row["role"] == "student"]
    by_number = {point.number: point for point in points(runs)}
    names = {row["point"]: _named(label, row) for row, label in zip(students, wording.labels(students), strict=True)}

    def entry(role: str, name: str, row: wording.Row, used: DataFrame) -> Entry:
        model = row["teacher"] if role == "teacher" else row["student"]
        return Entry(letter, role, name, row["dataset"], model, len(used), _trained(used, specs), row)

    for row in _first_of([row for row in students if row["teacher"]], "teacher", "teacher_accuracy"):
        yield entry("teacher", f"teacher {row['teacher']}", row, by_number[row["point"]].teachers)
    for row in _first_of(students, "setting"):
        yield entry("baseline", "baseline (labels)", row, by_number[row["point"]].baseline)
    for row in rows:
        if row["role"] == "control":
            used = by_number[row["point"]].controls[row["knowledge"]]
            yield entry("control", wording.spoken(row["knowledge"]), row, used)
    for row in students:
        if math.isnan(row["same_as"]):
            yield entry("student", names[row["point"]], row, by_number[row["point"]].student)


def _named(label: str, row: wording.Row) -> str:
    """With what was learned, which a label of one report may leave out."""
    return label if row["knowledge"] in label or "knowledge=" in label else f"{row['knowledge']} {label}"


def _first_of(rows: Sequence[wording.Row], *columns: str) -> list[wording.Row]:
    """The first row of each combination of values."""
    return list({tuple(str(row[column]) for column in columns): row for row in reversed(rows)}.values())[::-1]


def _trained(used: DataFrame, specs: Mapping[str, Spec]) -> tuple[Trained, ...]:
    done = used[(used["status"] == "finished") & used["test_accuracy"].notna()]
    size = {role: "teacher_train_size" if role == "teacher" else "train_size" for role in set(done["role"])}
    return tuple(
        _numbers(
            row | {"train_examples": row[size[row["role"]]]},
            _as_trained(specs.get(row["run_id"], {}), specs),
            row["run_id"],
        )
        for row in wording.records(done)
    )


def _numbers(row: Mapping[str, Any], spec: Spec, run_id: str) -> Trained:
    def number(name: str) -> float:
        value = row.get(name)
        return math.nan if value is None else float(value)

    return Trained(
        run_id=run_id,
        seed=int(row["seed"]),
        spec=spec,
        accuracy=number("test_accuracy"),
        nll=number("test_nll"),
        ece=number("test_ece"),
        train_examples=number("train_examples"),
        test_examples=number("test_examples"),
        epochs=number("epochs"),
        device=str(row.get("device", "")),
    )
