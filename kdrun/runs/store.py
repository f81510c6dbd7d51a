"""The store: every run under one outputs folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from kdrun.errors import UserError
from kdrun.runs import atomic
from kdrun.runs.folder import RESULT, SPEC, RunFolder, to_csv
from kdrun.runs.integrity import json_without_digest
from kdrun.runs.spec import RunSpec


class Store:
    """The runs under `outputs/runs`, each in a folder named by its run id."""

    def __init__(self, outputs: Path) -> None:
        self.outputs = outputs

    def folder(self, spec: RunSpec) -> RunFolder:
        """The folder of a run, whether it is there or not."""
        return RunFolder(self.outputs / "runs" / spec.run_id)

    def check_writable(self) -> None:
        """Raises UserError when nothing could be written."""
        atomic.make_folder(self.outputs / "runs")
        probe = self.outputs / "runs" / ".writable"
        atomic.write_text(probe, "")
        probe.unlink(missing_ok=True)

    def folders(self) -> Iterator[RunFolder]:
        """Every run's folder, by name; those set aside are left out."""
        for path in sorted((self.outputs / "runs").glob("*-*")):
            if path.is_dir() and ".damaged-" not in path.name:
                yield RunFolder(path)

    def results(self) -> list[dict[str, Any]]:
        """The results of all finished runs; one that cannot be read is left out here and named when it is used."""
        return [result for folder in self.folders() if (result := _result(folder))]

    def write_results(self) -> Path:
        """Writes results.csv over the store and returns its path."""
        path = self.outputs / "results.csv"
        atomic.write_text(path, to_csv(self.results()))
        return path


class Summary(NamedTuple):
    """A run as it is listed, in words.

    state: finished, begun, failed (its last attempt) or damaged (as far as spec.json and result.json show), with the
        version where that is 0.1.
    accuracy: on the test part, in %. seconds: of training.
    """

    run_id: str
    title: str
    state: str
    accuracy: str
    seconds: str


def summary(folder: RunFolder) -> Summary:
    description, result = describe(folder), _result(folder)
    state = "finished" if folder.is_finished else "failed" if folder.failure_path.is_file() else "begun"
    if folder.is_of_0_1:
        state += " (0.1)"
    elif (folder.is_finished and not result) or (folder.files() and not description):
        state = "damaged"
    numbers = (f"{100 * result['test_accuracy']:.2f}", f"{result['train_seconds']:.1f}") if result else ("", "")
    return Summary(folder.path.name, str(description.get("title", "?")), state, *numbers)


def describe(folder: RunFolder) -> dict[str, Any]:
    """The content of spec.json, also that of kdrun 0.1; {} where it cannot be read."""
    try:
        return folder.description()
    except UserError:
        return json_without_digest(folder.path / SPEC) or {} if folder.is_of_0_1 else {}


def _result(folder: RunFolder) -> dict[str, Any]:
    """The result of a run, also of one of kdrun 0.1; {} where there is none that can be read."""
    try:
        return folder.result()
    except UserError:
        result = json_without_digest(folder.path / RESULT) or {} if folder.is_of_0_1 else {}
        return result if {"run_id", "test_accuracy", "train_seconds"} <= result.keys() else {}
