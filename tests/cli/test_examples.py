"""Students that are shown fewer classes, or more examples than have labels, as a user asks for them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from calling import TOY, Kdrun
from carrying import Watching, all_of, carry_out, interrupted_after, lab_at, plan, weights_in

from kdrun.data.split import Splits
from kdrun.experiment import lab
from kdrun.runs.spec import RunSpec

OMIT = ("dataset.omit=[2]", "controls=[]")
LONGER = ("train.teacher.epochs=20", "train.student.epochs=20")
BOTH = ("train_size=60", "transfer=both", "controls=[label_smoothing,teacher_argmax]")


def _offset(specs: list[RunSpec]) -> RunSpec:
    return next(spec for spec in specs if spec.kind == "student" and not spec.is_trained)


def test_omitted_classes_and_offsets_are_told_in_a_report(kdrun: Kdrun, tmp_path: Path) -> None:
    outcome = kdrun("distill", *TOY, *OMIT, *LONGER, "alpha=1", "seeds=[0,1]", f"outputs={tmp_path}")
    assert outcome.code == 0, outcome.err
    told = " ".join(outcome.out.split())
    assert (
        "were shown no example of class 2. Mean errors on 80 test examples, and in brackets on the 20 of these" in told
    )
    assert "It was found without labels: over 100 training images, those of omitted classes among them" in told
    assert "offset, kd" in told
    (report,) = tmp_path.glob("reports/*")
    errors = pd.read_csv(report / "class_errors.csv")
    runs = pd.read_csv(report / "runs.csv").drop_duplicates("run_id").set_index("run_id")
    by_run = errors.groupby("run_id")[["examples", "errors"]].sum()
    assert (1 - by_run["errors"] / by_run["examples"]).to_dict() == pytest.approx(runs["test_accuracy"].to_dict())
    of_class = errors[errors["class"] == 2].set_index("run_id")["errors"]
    students = runs[runs["role"] == "student"]
    assert students["omitted_errors"].to_dict() == of_class[students.index].to_dict()
    offset = students[students["variant"] == "offset"]
    plain = students[students["variant"] != "offset"]
    assert offset["omitted_errors"].mean() < plain["omitted_errors"].mean()
    assert set(offset["train_size"]) == set(plain["train_size"]) == {75}


def test_the_table_says_who_saw_labels(kdrun: Kdrun, tmp_path: Path) -> None:
    outcome = kdrun("distill", *TOY, *BOTH, "seeds=[0]", f"outputs={tmp_path}")
    assert outcome.code == 0, outcome.err
    told = "student mlp30: 60 labels, 180 images with the teacher's targets; baseline: 60 labels, as many steps"
    assert told in " ".join(outcome.out.split())


REFUSED = {
    ("dataset.omit=[bird]",): "there is no class 'bird' to omit; the classes are class 0, class 1, class 2, class 3",
    ("dataset.omit=[0,1,2,3]",): "to omit 0, 1, 2, 3 leaves no example to train on; omit fewer classes",
    ("dataset.omit=[1.5]",): "dataset.omit takes names of classes or their indices, such as [3], got 1.5",
    ("transfer=all",): "transfer must be one of labelled, both, unlabelled, got 'all'",
    ("transfer=both", "knowledge=response/dkd"): "student: dkd reads labels, which transfer=both keeps from some",
    ("transfer=both", "controls=[class_mean]"): "control: ClassMeans reads labels, which transfer=both keeps from some",
    (
        "transfer=both",
        "train_size=null",
    ): "transfer=both needs examples without labels, and train_size labels the whole",
    (
        "transfer=unlabelled",
        "alpha=1",
        "controls=[]",
        "alpha_schedule=linear",
    ): "transfer=unlabelled gives the student no "
    "label, and its loss weighs labels; type alpha=1 alpha_schedule=constant",
    (
        "transfer=unlabelled",
    ): "transfer=unlabelled gives the student no label, and its loss weighs labels; type alpha=1",
}


@pytest.mark.parametrize("dry", [True, False])
@pytest.mark.parametrize("overrides", REFUSED)
def test_what_cannot_be_is_refused_before_anything_trains(
    kdrun: Kdrun, tmp_path: Path, overrides: tuple[str, ...], dry: bool
) -> None:
    outcome = kdrun("distill", *TOY, *overrides, f"outputs={tmp_path}", *(["--dry-run"] if dry else []))
    assert outcome.code == 2
    assert outcome.err.startswith(f"Error: {REFUSED[overrides]}")
    assert not list(tmp_path.glob("runs/*/*"))


@pytest.mark.parametrize("overrides", [OMIT, BOTH])
def test_a_run_that_was_stopped_ends_with_the_same_bytes(tmp_path: Path, overrides: tuple[str, ...]) -> None:
    specs = plan(*overrides)
    carry_out(specs, tmp_path / "whole")
    interrupted_after(36, specs, tmp_path / "cut")
    carry_out(specs, tmp_path / "cut")
    assert len(weights_in(tmp_path / "whole")) == len(specs)
    assert weights_in(tmp_path / "whole") == weights_in(tmp_path / "cut")


def test_a_table_serves_students_of_every_image(tmp_path: Path) -> None:
    specs = plan(*BOTH)
    watching = Watching()
    assert not carry_out(specs, tmp_path, caching=all_of("table", specs), observer=watching)
    assert watching.filled[-1] == (9 * 180, 9 * 180)


def test_the_baseline_takes_as_many_steps_as_the_student() -> None:
    specs = plan(*BOTH)
    data = lab_at(Path("outputs")).data(specs[0].dataset)
    streams = {spec.kind: data.training_batches(spec) for spec in specs if spec.kind != "teacher"}
    assert streams["baseline"].steps_per_epoch == streams["student"].steps_per_epoch == 9
    assert (streams["baseline"].num_examples, streams["student"].num_examples) == (60, 180)


def _poisoned(real: Any, kept: int) -> Any:
    def load(*arguments: Any, **given: Any) -> Splits:
        splits: Splits = real(*arguments, **given)
        splits.train.labels[kept:] = (splits.train.labels[kept:] + 1) % 4
        return splits

    return load


def test_no_label_of_an_unlabelled_example_reaches_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    specs = plan(*BOTH)
    carry_out(specs[:1], tmp_path / "true")
    carry_out(specs[:1], tmp_path / "false")
    carry_out(specs, tmp_path / "true")
    monkeypatch.setattr(lab, "split", _poisoned(lab.split, kept=60))
    carry_out(specs, tmp_path / "false")
    assert weights_in(tmp_path / "true") == weights_in(tmp_path / "false")


def test_an_offset_brings_its_classes_share_to_the_teachers(tmp_path: Path) -> None:
    specs = plan(*OMIT, "alpha=1", "train.teacher.epochs=5")
    carry_out(specs, tmp_path)
    result = lab_at(tmp_path).store.folder(_offset(specs)).result()
    student = lab_at(tmp_path).store.folder(_offset(specs).made_of[0]).result()
    assert (result["epochs"], result["train_seconds"]) == (student["epochs"], student["train_seconds"])
    assert result["offset_images"] == 100
    assert float(result["offset_shares_before"]) < float(result["offset_shares"])
    assert float(result["offsets"]) > 0
    data = lab_at(tmp_path).data(specs[0].dataset)
    shown = data.training_part(_offset(specs))
    assert not torch.any(shown.labels == 2)
