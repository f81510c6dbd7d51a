"""The store: every run under one outputs folder."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from kdrun.errors import UserError
from kdrun.runs import atomic
from kdrun.runs.folder import RunFolder, to_csv
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
        results = []
        for folder in self.folders():
            if folder.is_finished:
                try:
                    results.append(folder.result())
                except UserError:
                    continue
        return results

    def write_results(self) -> Path:
        """Writes results.csv over the store and returns its path."""
        path = self.outputs / "results.csv"
        atomic.write_text(path, to_csv(self.results()))
        return path


def describe(folder: RunFolder) -> dict[str, Any]:
    """What `spec.json` says of a run, or {} where it cannot be read."""
    try:
        described: dict[str, Any] = json.loads((folder.path / "spec.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return described


def summaries(store: Store) -> list[tuple[str, str, str, str, str]]:
    """For each run: its id, what it is, its state, test accuracy in %, seconds trained.

    The state is finished, begun, failed (its last attempt) or damaged.
    """
    return [_summary(folder) for folder in store.folders()]


def _summary(folder: RunFolder) -> tuple[str, str, str, str, str]:
    title = str(describe(folder).get("title", "?"))
    if not folder.is_finished:
        return folder.path.name, title, "failed" if folder.failure_path.is_file() else "begun", "", ""
    try:
        result = folder.result()
    except UserError:
        return folder.path.name, title, "damaged", "", ""
    accuracy, seconds = f"{100 * result['test_accuracy']:.2f}", f"{result['train_seconds']:.1f}"
    return folder.path.name, title, "finished", accuracy, seconds
