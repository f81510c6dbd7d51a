"""The observer between training and a tracker: every row once, nothing lost, and no trouble for training."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from carrying import Watching, carry_out, interrupted_after, plan

from kdrun.experiment.several import Several
from kdrun.runs.spec import RunSpec
from kdrun.runs.store import Store
from kdrun.trackers import Numbers, tracking
from kdrun.trackers.tracking import Tracking


class Book:
    """A tracker that keeps rows by run, and can be told to fail. The pages outlive a command."""

    def __init__(self, pages: dict[str, dict[int, Numbers]] | None = None, fails_at: int | None = None) -> None:
        self.pages = {} if pages is None else pages
        self.results: dict[str, Numbers | None] = {}
        self.closed = 0
        self._fails_at, self._rows = fails_at, 0

    def is_complete(self, spec: RunSpec) -> bool:
        return spec.run_id in self.results

    def begin(self, spec: RunSpec, rows: Mapping[int, Numbers]) -> None:
        self.pages[spec.run_id] = dict(rows)

    def row(self, spec: RunSpec, epoch: int, numbers: Numbers) -> None:
        self._rows += 1
        if self._rows == self._fails_at:
            raise OSError(28, "No space left on device")
        assert epoch not in self.pages[spec.run_id], "the row is there already"
        self.pages[spec.run_id][epoch] = numbers

    def end(self, spec: RunSpec, numbers: Numbers | None) -> None:
        self.results[spec.run_id] = numbers

    def close(self) -> None:
        self.closed += 1


def _written(outputs: Path) -> dict[str, list[dict[str, float]]]:
    """The rows of every run's metrics.csv, without their epochs."""
    import pandas as pd

    return {
        path.parent.name: pd.read_csv(path).drop(columns="epoch").to_dict("records")
        for path in outputs.glob("runs/*/metrics.csv")
    }


def _shown(book: Book) -> dict[str, list[Numbers]]:
    return {run: [page[epoch] for epoch in sorted(page)] for run, page in book.pages.items()}


def _tracked(book: Book, outputs: Path, specs: list[RunSpec], **given: Any) -> list[str]:
    warnings: list[str] = []
    finished = [spec for spec in specs if Store(outputs).folder(spec).is_finished]
    with Tracking(book, Store(outputs), finished, warnings.append) as tracked:
        given.get("carry", carry_out)(specs, outputs, observer=Several([Watching(), tracked]))
    return warnings


def test_a_tracker_is_told_the_rows_that_are_in_the_csv_files_and_each_result(tmp_path: Path) -> None:
    book, specs = Book(), plan("controls=[]")
    assert _tracked(book, tmp_path, specs) == []
    assert _shown(book) == _written(tmp_path)
    assert set(book.results) == {spec.run_id for spec in specs}
    numbers = book.results[specs[0].run_id]
    assert numbers is not None
    assert numbers["test_accuracy"] == Store(tmp_path).folder(specs[0]).result()["test_accuracy"]
    assert book.closed == 1


def test_after_an_interruption_no_row_is_doubled_and_none_is_missing(tmp_path: Path) -> None:
    book, specs = Book(), plan("controls=[]")

    def interrupted(specs: list[RunSpec], outputs: Path, **given: Any) -> None:
        interrupted_after(37, specs, outputs, **given)

    _tracked(book, tmp_path, specs, carry=interrupted)
    assert book.pages
    _tracked(book, tmp_path, specs)
    assert _shown(book) == _written(tmp_path)


def test_a_tracker_that_is_chosen_later_is_told_what_was_learned_before(tmp_path: Path) -> None:
    specs = plan("controls=[]")
    interrupted_after(37, specs, tmp_path)
    book = Book()
    _tracked(book, tmp_path, specs)
    assert _shown(book) == _written(tmp_path)
    late = Book()
    _tracked(late, tmp_path, specs)
    assert (_shown(late), late.results) == (_written(tmp_path), book.results)


def test_runs_that_a_tracker_has_are_not_told_again(tmp_path: Path) -> None:
    book, specs = Book(), plan("controls=[]")
    _tracked(book, tmp_path, specs)
    book.pages.clear()
    _tracked(book, tmp_path, specs)
    assert book.pages == {}


def test_a_tracker_that_fails_costs_one_warning_and_no_run(tmp_path: Path) -> None:
    book, specs = Book(fails_at=2), plan("controls=[]")
    warnings = _tracked(book, tmp_path, specs)
    assert warnings == [
        "the tracker is told no more ([Errno 28] No space left on device); training goes on, the CSV files are complete"
    ]
    assert all(Store(tmp_path).folder(spec).is_finished for spec in specs)


def test_a_tracker_that_hangs_delays_the_end_of_a_command_only_so_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tracking, "CLOSE_S", 0.1)

    class Hanging(Book):
        def begin(self, spec: RunSpec, rows: Mapping[int, Numbers]) -> None:
            time.sleep(2.0)

    warnings = _tracked(Hanging(), tmp_path, plan("controls=[]")[:1])
    assert warnings == ["the tracker did not take everything within 0.1 s; the same command again tells it"]


def test_a_run_that_failed_is_told_as_such_and_is_not_complete(tmp_path: Path) -> None:
    book, (teacher, *_) = Book(), plan()
    with Tracking(book, Store(tmp_path), [], print) as tracked:
        tracked.failed(teacher, "the loss is not finite")
    assert book.results == {teacher.run_id: None}
