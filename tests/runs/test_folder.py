"""The files of one run."""

from __future__ import annotations

import errno
import json
import os
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from kdrun.errors import UserError
from kdrun.runs import atomic
from kdrun.runs.folder import CLASSES, METRICS, PREDICTIONS, RESULT, SPEC, WEIGHTS, RunFolder, to_csv
from kdrun.runs.integrity import json_with_digest, sha256
from kdrun.runs.spec import RunSpec
from kdrun.runs.store import Store
from kdrun.runs.verify import check, damaged_files

ROWS = [{"epoch": 1, "train_loss": 0.5}, {"epoch": 2, "train_loss": 0.25, "validation_accuracy": 0.75}]


@pytest.fixture
def finished(tmp_path: Path) -> RunFolder:
    folder = RunFolder(tmp_path / "runs" / "student-mlp-blobs-0123456789ab")
    folder.path.mkdir(parents=True)
    (folder.path / "spec.json").write_bytes(json_with_digest({"semantics": 4, "run_id": folder.path.name}))
    folder.save_state({"weights": torch.ones(2)}, ROWS)
    result = {"run_id": folder.path.name, "test_accuracy": 0.5, "test_examples": 2, "train_seconds": 1.5}
    predictions = "id,label,predicted,confidence\n7,1,1,0.9\n4,0,1,0.5\n"
    folder.finish({"w": torch.arange(3.0)}, ROWS, predictions, ["cat", 'a "dog", wet\n'], result)
    return folder


def test_a_state_comes_back_as_it_was(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    assert folder.load_state() is None
    folder.save_state({"position": [1, 0], "weights": torch.tensor([0.1])}, ROWS)
    state, rows = folder.load_state() or ({}, [])
    assert state["position"] == [1, 0]
    assert torch.equal(state["weights"], torch.tensor([0.1]))
    assert rows == ROWS


def test_a_finished_run_keeps_its_weights_and_drops_its_state(finished: RunFolder) -> None:
    assert finished.is_finished
    assert not finished.is_started
    assert torch.equal(finished.weights()["w"], torch.arange(3.0))
    assert (finished.path / "metrics.csv").read_text() == (
        "epoch,train_loss,validation_accuracy\n1,0.5,\n2,0.25,0.75\n"
    )


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def _flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def _empty(path: Path) -> None:
    path.write_bytes(b"")


def test_a_finished_run_has_no_damage(finished: RunFolder) -> None:
    assert sorted(finished.files()) == sorted(path.name for path in finished.path.iterdir())
    assert damaged_files(finished) == []
    check(finished)


@pytest.mark.parametrize("name", [SPEC, WEIGHTS, METRICS, PREDICTIONS, CLASSES, RESULT])
@pytest.mark.parametrize("damage", [_cut, _flip, _empty])
def test_every_file_that_is_changed_is_named(finished: RunFolder, name: str, damage: Callable[[Path], None]) -> None:
    damage(finished.path / name)
    assert damaged_files(finished) == [finished.path / name]
    with pytest.raises(UserError, match=rf"{re.escape(name)} is damaged or missing; add --retrain-damaged"):
        check(finished)


@pytest.mark.parametrize("name", [SPEC, WEIGHTS, METRICS, PREDICTIONS, CLASSES])
def test_a_file_that_is_missing_is_named(finished: RunFolder, name: str) -> None:
    (finished.path / name).unlink()
    assert damaged_files(finished) == [finished.path / name]


def test_the_digests_of_files_are_no_columns_of_the_result(finished: RunFolder) -> None:
    written = json.loads((finished.path / "result.json").read_text())
    assert written.keys() - finished.result().keys() == {"files", "sha256"}
    assert finished.result()["weights_sha256"] == sha256((finished.path / "weights.safetensors").read_bytes())


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
def test_a_result_that_is_not_finite_is_refused_before_anything_is_written(tmp_path: Path, number: float) -> None:
    folder = RunFolder(tmp_path / "run")
    with pytest.raises(ValueError, match="not JSON compliant"):
        folder.finish({}, [], "", [], {"test_accuracy": 0.5, "test_nll": number})
    assert not folder.path.exists()
    with pytest.raises(ValueError, match="not JSON compliant"):
        atomic.write_json(tmp_path / "report.json", {"points": [number]})


@pytest.mark.parametrize(
    "content", ["", "{", "[]", '{"test_accuracy": 1}', '{"weights_bytes": 1, "weights_sha256": "x"}']
)
def test_a_damaged_result_is_named(finished: RunFolder, content: str) -> None:
    (finished.path / "result.json").write_text(content)
    with pytest.raises(UserError, match=r"result\.json is damaged"):
        finished.result()


def test_a_state_cut_short_is_named(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    folder.save_state({"weights": torch.ones(100)}, ROWS)
    for length in (0, 10, 500):
        path = tmp_path / "state.pt"
        path.write_bytes(path.read_bytes()[:length])
        with pytest.raises(UserError, match=r"state\.pt is damaged"):
            folder.load_state()


def test_a_damaged_run_is_set_aside_and_never_overwritten(finished: RunFolder) -> None:
    first = finished.set_aside()
    finished.path.mkdir()
    second = finished.set_aside()
    assert [first.name[-9:], second.name[-9:]] == ["damaged-1", "damaged-2"]
    assert (first / "result.json").is_file()


def test_the_store_lists_what_it_can_read(finished: RunFolder) -> None:
    store = Store(finished.path.parent.parent)
    assert [result["test_accuracy"] for result in store.results()] == [0.5]
    assert store.write_results().read_text().splitlines()[1].startswith("student-mlp-blobs-0123456789ab,0.5,2,1.5,")
    _cut(finished.path / "result.json")
    (finished.path / "result.json").write_text("{")
    assert store.results() == []


def _refuse(number: int) -> Any:
    def write(*_: Any) -> None:
        raise OSError(number, os.strerror(number))

    return write


def test_a_full_disk_is_one_line_and_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "result.json"
    atomic.write_json(path, {"old": 1})
    monkeypatch.setattr(os, "fsync", _refuse(errno.ENOSPC))
    with pytest.raises(UserError, match="the disk is full, could not write"):
        atomic.write_json(path, {"new": 2})
    assert json.loads(path.read_text()) == {"old": 1}
    assert [file.name for file in tmp_path.iterdir()] == ["result.json"]


def test_a_folder_that_cannot_be_made_says_to_choose_another(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="choose another folder with outputs=DIR"):
        atomic.make_folder(tmp_path / "file" / "runs")


def test_rows_become_csv_with_the_columns_of_all(tmp_path: Path) -> None:
    assert to_csv([{"a": 1}, {"a": None, "b": "x,y"}]) == 'a,b\n1,\n,"x,y"\n'


def test_predictions_epochs_and_class_names_come_back(finished: RunFolder) -> None:
    said = finished.predictions()
    assert (said.label.tolist(), said.predicted.tolist(), said.confidence.tolist()) == ([1, 0], [1, 1], [0.9, 0.5])
    assert finished.epochs() == [
        {"epoch": "1", "train_loss": "0.5", "validation_accuracy": ""},
        {"epoch": "2", "train_loss": "0.25", "validation_accuracy": "0.75"},
    ]
    assert finished.class_names() == ["cat", 'a "dog", wet\n']


def test_a_run_without_a_result_has_the_epochs_that_were_written(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    assert folder.epochs() == []
    folder.save_state({}, ROWS[:1])
    assert folder.epochs() == [{"epoch": "1", "train_loss": "0.5"}]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "id,label,predicted,confidence\n",
        "id,label\n1,2\n",
        "a,b\n1\n",
        "id,label,predicted,confidence\n1,2,x,0.5\n",
    ],
)
def test_damaged_predictions_are_named(finished: RunFolder, text: str) -> None:
    (finished.path / "predictions.csv").write_text(text)
    with pytest.raises(UserError, match=r"predictions\.csv is damaged"):
        finished.predictions()


@pytest.fixture
def described(tmp_path: Path) -> tuple[RunFolder, RunSpec]:
    """A run on data in a folder, whose description is written, with a note."""
    source = {"_target_": "mine.Photos", "folder": "old", "size": 8}
    spec = RunSpec(
        kind="teacher",
        seed=0,
        data_seed=0,
        dataset={"name": "photos", "source": source, "content": {"sha256": "1"}, "places": {"folder": None}},
        train_size=None,
        model={"name": "mlp"},
        recipe={"epochs": 2},
        precision="fp32",
    )
    folder = Store(tmp_path).folder(spec)
    folder.start(spec, {"teacher_signals": "table"})
    return folder, spec


def _moved(spec: RunSpec, folder: str) -> RunSpec:
    return replace(spec, dataset={**spec.dataset, "source": {**spec.dataset["source"], "folder": folder}})


def test_a_description_follows_its_data_and_keeps_its_notes(described: tuple[RunFolder, RunSpec]) -> None:
    folder, spec = described
    folder.update_spec(_moved(spec, "new"))
    assert folder.description() == _moved(spec, "new").description() | {
        "title": spec.title,
        "run_id": spec.run_id,
        "teacher_signals": "table",
    }


def test_a_description_that_says_the_same_is_left_alone(described: tuple[RunFolder, RunSpec]) -> None:
    folder, spec = described
    path = folder.path / "spec.json"
    path.write_text(path.read_text() + " ")  # not as kdrun would write it
    before = path.read_bytes()
    folder.update_spec(spec)
    assert path.read_bytes() == before


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"semantics": 3}'])
def test_a_description_of_something_else_is_left_alone(described: tuple[RunFolder, RunSpec], content: str) -> None:
    folder, spec = described
    (folder.path / "spec.json").write_text(content)
    folder.update_spec(_moved(spec, "new"))
    assert (folder.path / "spec.json").read_text() == content


def test_a_description_of_another_run_is_left_alone(described: tuple[RunFolder, RunSpec]) -> None:
    folder, spec = described
    before = (folder.path / "spec.json").read_text()
    folder.update_spec(replace(spec, seed=1))
    assert (folder.path / "spec.json").read_text() == before


def test_a_run_that_another_process_trains_keeps_its_description(described: tuple[RunFolder, RunSpec]) -> None:
    folder, spec = described
    before = (folder.path / "spec.json").read_text()
    with folder.lock():
        folder.update_spec(_moved(spec, "new"))
    assert (folder.path / "spec.json").read_text() == before


def test_a_run_without_a_description_gets_none(tmp_path: Path, described: tuple[RunFolder, RunSpec]) -> None:
    folder = RunFolder(tmp_path / "runs" / "other")
    folder.update_spec(described[1])
    assert not folder.path.exists()


def test_files_of_another_run_do_not_fit(tmp_path: Path) -> None:
    """Whole and undamaged files, in the wrong folder."""
    mine, theirs = RunFolder(tmp_path / "student-a-b-1"), RunFolder(tmp_path / "student-a-b-2")
    for folder in (mine, theirs):
        folder.path.mkdir()
        folder.save_state({"w": torch.ones(2)}, ROWS)
    assert mine.load_state() is not None
    (mine.path / "state.pt").write_bytes((theirs.path / "state.pt").read_bytes())
    with pytest.raises(UserError, match=r"student-a-b-1/state\.pt is damaged"):
        mine.load_state()
    for folder in (mine, theirs):
        result = {"run_id": folder.path.name, "test_accuracy": 0.5, "test_examples": 1, "train_seconds": 1.0}
        folder.finish({"w": torch.ones(2)}, ROWS, "id,label,predicted,confidence\n0,0,0,0.5\n", ["a"], result)
    for path in theirs.path.iterdir():
        (mine.path / path.name).write_bytes(path.read_bytes())
    with pytest.raises(UserError, match=r"student-a-b-1/result\.json is damaged"):
        mine.result()
