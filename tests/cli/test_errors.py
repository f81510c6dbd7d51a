"""Bad input: one line on stderr that says what to type, exit code 2, no traceback, nothing written."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
from calling import TOY, Kdrun

MISTAKES = [
    (("distill", "taau=4"), "unknown key 'taau'; did you mean tau?"),
    (("distill", "knowledge=kd"), "did you mean knowledge=response/kd?"),
    (("distill", "tau=0"), "tau must be > 0, got 0"),
    (("distill", "tau=abc"), "tau must be a number, got 'abc'"),
    (("distill", "alpha=1.5"), "alpha must be between 0 (labels only) and 1 (teacher only), got 1.5"),
    (("distill", "alpha_schedule=linaer"), "unknown alpha_schedule 'linaer'; did you mean alpha_schedule=linear?"),
    (("distill", "alpha_schedule=linear", "alpha_schedule.start=2"), "alpha_schedule.start must be between 0 and 1"),
    (("distill", "tau_schedule=cosine", "tau_schedule.start=0"), "tau_schedule.start must be > 0, got 0"),
    (("distill", "tau_schedule=linear", "teacher.members=2"), "cannot follow tau_schedule; use teacher.mean=geometric"),
    (("distill", "tau_schedule=linear", "teachers=[mlp300,mlp64]"), "use teacher.mean=geometric"),
    (("distill", "knowledge.kd.tau=2", "teacher.members=2"), "knowledge.kd.tau=2, but the arithmetic mean of several"),
    (("distill", "tau=1,2"), "use `kdrun sweep`"),
    (("train-teacher", "tau=1,2"), "use `kdrun sweep`"),
    (("distill", "+x=1"), "keys cannot be added with +"),
    (("distill", "hydra.run.dir=x"), "kdrun does not take Hydra's own settings"),
    (("distill", "tau=1", "tau=2"), "tau is given more than once"),
    (("distill", "teachers=mlp30,mlp64"), "use `kdrun sweep`, not `kdrun distill`; a list is written teachers=[...]"),
    (("distill", "teachers=[mlp64,mlp30]", "teacher.members=2"), "teacher.members=2 and teachers=[...] exclude each"),
    (("distill", "teachers=[nothing]"), "teachers: no run 'nothing' under outputs/runs; `kdrun runs` lists what is"),
    (("distill", "mode=assistant"), "mode.path is empty"),
    (("bench", "sweep", "--k", "2", "teacher.members=2"), "the students do not share one teacher"),
    (("sweep", "tau=1,0"), "tau must be > 0, got 0"),
    (("distill", "--tau", "4"), "No such option"),
    (("distil",), "No such command 'distil'"),
    (("distill", "-e", "nothing"), "no saved experiment"),
    (("distill", "--config-dir", "nowhere"), "no config folder"),
    (("distill", "device=cuda:99"), "is not on this machine; use auto or cpu"),
    (("distill", "device=quantum"), "unknown device 'quantum'; use auto, cpu, cuda or cuda:N"),
    (
        ("distill", "device=cpu", "compile=true", "cuda_graphs=true"),
        "cuda_graphs=true needs a CUDA device, got cpu; leave it out",
    ),
    (("sweep", "compile=true,false"), "compile is not part of a run and cannot be swept; give it one value"),
    (("distill", "dataset=mnist"), "KDRUN_DATA"),
    (("distill", "dataset=image_folder", "dataset.source.folder=nowhere"), "nowhere"),
    (("distill", "dataset=parquet", "dataset.source.folder=nowhere"), "nowhere"),
    (("distill", "mode=online", "mode.peers=[mlp46]"), "mode.peers names no network with 'mlp46'; did you mean mlp64?"),
    (("distill", "mode=online", "mode.peers=[a_net]"), "'a_net'; `kdrun options student` lists the networks"),
    (("distill", "mode=online", "controls=[class_mean]"), "class_mean needs a teacher, and mode=online has none"),
    (("distill", "mode=online", "alpha=1"), "no network would see a label, because their weight is 0; type alpha=0.5"),
    (("distill", "label_weight=-1"), "label_weight must be at least 0, got -1"),
    (("distill", "label_weight=half"), "label_weight must be a number, got 'half'"),
    (("distill", "alpha=0", "label_weight=2"), "label_weight=2 with alpha=0: no term has a weight"),
    (("distill", "knowledge=[response/kd,feature/simkd]"), "different weights of the labels (simkd 0, kd 1 - alpha)"),
    (("distill", "knowledge.kd.mix=1"), "knowledge.kd.mix must be"),
    (("bench", "step", "mode=online"), "the bench times one student, type mode=offline"),
    (("distill", "train_size=100000"), "100000"),
    (("distill", "train_size=3"), "one example a class"),
    (("distill", "dataset.test_size=0"), "dataset.test_size"),
    (("distill", "student._target_=no.such.Net"), "no.such.Net"),
    (("distill", "student=resnet20", "student.depth=21"), "depth"),
    (("distill", "knowledge=feature/fitnet"), "has no layer 'stage2'"),
    (("distill", "knowledge.kd.weight=-1"), "weight"),
    (("distill", "train.student.optimizer.lr=-1"), "Invalid learning rate: -1"),
    (("sweep", "device=cpu,cuda"), "device is not part of a run and cannot be swept; give it one value"),
    (("sweep", "tau=1,1"), "tau=1,1 names 1 more than once; name each value once"),
    (("sweep", "tau=range(0,20000)"), "the grid has 20,000 points, at most 10,000 are taken"),
    (("distill", "controls.label_smoothing.alpha=5"), "controls.label_smoothing.alpha must be between 0 and 1, got 5"),
    (("report", "outputs=ob"), "outputs=ob: `kdrun report` takes the folder as --outputs ob"),
    (("distill", "executor=processes", "executor.workers=0"), "executor.workers must be at least 1, got 0"),
    (("distill", "executor=processes", "executor.threads=0"), "executor.threads must be at least 1, got 0"),
    (("distill", "cache.kind=tabel"), "cache.kind must be one of auto, table, schedule, off, got 'tabel'"),
    (("distill", "cache.dtype=bf16"), "cache.dtype must be one of fp32, fp16, got 'bf16'"),
    (("distill", "cache.max_bytes=-1"), "cache.max_bytes must be at least 0, got -1"),
    (("distill", "cache.max_bytes=4GB"), "cache.max_bytes must be a whole number, got '4GB'"),
    (("distill", "cache=tabel"), "unknown cache 'tabel'; did you mean cache=table?"),
    (("sweep", "cache=auto,off"), "cache is not part of a run and cannot be swept; give it one value"),
    (("distill", "cache=table", "cache.max_bytes=1000"), "type cache.max_bytes=40000, cache=auto, or `kdrun cache"),
    (("cache", "clear", "x"), "no 'x' in outputs/cache; it is empty"),
    (("report",), "no report under outputs/reports"),
    (("report", "x"), "no report under outputs/reports"),
    (("options", "nothing"), "no group 'nothing'; the groups are"),
]


def test_compiling_without_a_compiler_is_refused(kdrun: Kdrun, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda _name: None)
    ended = kdrun("distill", *TOY, "device=cpu", "compile=true")
    assert (ended.code, ended.out) == (2, "")
    assert "compile=true needs a C++ compiler" in ended.err


@pytest.mark.parametrize(("arguments", "message"), MISTAKES, ids=lambda value: " ".join(value)[:40])
def test_a_mistake_is_told_in_one_line(
    kdrun: Kdrun, tmp_path: Path, arguments: tuple[str, ...], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Where a download would be tried, it fails at once.
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    ended = kdrun(*arguments)
    assert ended.code == 2
    assert message in ended.err
    assert len(ended.err.splitlines()) == 1
    assert ended.err.startswith("Error: ")
    assert ended.out == ""
    assert not (tmp_path / "outputs").exists()


TWO_CLASSES = (*TOY, "dataset.source.classes=2")
CONV = (*TOY[:4], "dataset.source.size=16", "teacher=conv_m", "student=conv_s")
UNFIT = [
    ((*TWO_CLASSES, "knowledge=response/dkd"), "dkd needs 3 classes or more, got 2: use knowledge=response/kd"),
    ((*CONV, "student.widths=[8,16]", "knowledge=feature/attention"), "stages do not pair up: the student has 2"),
    (
        (*CONV, "knowledge=feature/fitnet", "knowledge.fitnet.student_layer=stage9"),
        "the student has no layer 'stage9'; choose one of: stem, stage1, stage1_preact",
    ),
    ((*CONV, "knowledge=relation/rkd", "knowledge.rkd.teacher_layer=fc"), "the teacher has no layer 'fc'"),
    ((*CONV, "knowledge=relation/fsp"), "fsp needs equal channels"),
    ((*CONV, "knowledge=feature/vid", "knowledge.vid.student_layers=[pooled]"), "the student has 1 (pooled)"),
    ((*TOY, "knowledge=feature/reviewkd"), "the student names no layers stage1, stage2, ...; name some of: hidden1"),
    ((*TOY[:4], "teacher=wrong", "student=mlp30"), "teacher wrong gives 7 outputs, but the data set has 4 classes"),
    ((*TOY, "train_size=100000"), "100000"),
    ((*TOY, "teacher_train_size=100000"), "100000"),
    ((*TOY, "train.student.optimizer.lr=-1"), "Invalid learning rate: -1"),
    ((*TOY, "knowledge=mine/right", "knowledge.right._target_=my_loss.Absent"), "my_loss.Absent"),
]


@pytest.mark.parametrize("dry", [(), ("--dry-run",)], ids=["to train", "dry"])
@pytest.mark.parametrize(("arguments", "message"), UNFIT, ids=[message[:40] for _, message in UNFIT])
def test_what_does_not_fit_together_is_told_before_training_and_in_a_dry_run(
    kdrun: Kdrun, tmp_path: Path, arguments: tuple[str, ...], message: str, dry: tuple[str, ...]
) -> None:
    ended = kdrun("distill", *arguments, *dry)
    assert ended.code == 2
    assert message in ended.err
    assert len(ended.err.splitlines()) == 1
    assert ended.out == ""
    assert not (tmp_path / "outputs").exists()


def test_a_network_with_another_number_of_classes_is_named(kdrun: Kdrun) -> None:
    ended = kdrun("distill", *TOY[:4], "teacher=wrong", "student=mlp30")
    assert (ended.code, ended.err) == (2, "Error: teacher wrong gives 7 outputs, but the data set has 4 classes\n")


def test_an_outputs_folder_that_cannot_be_written_is_told_before_training(kdrun: Kdrun, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    ended = kdrun("distill", *TOY, "outputs=file/x")
    assert ended.code == 2
    assert "choose another folder with outputs=DIR" in ended.err
    assert len(ended.err.splitlines()) == 1


def test_a_full_disk_stops_with_one_line_and_the_same_command_goes_on(
    kdrun: Kdrun, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with monkeypatch.context() as full:
        written = iter(range(10_000))
        fsync = os.fsync

        def fill(descriptor: int) -> None:
            if next(written) > 8:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            fsync(descriptor)

        full.setattr(os, "fsync", fill)
        ended = kdrun("distill", *TOY, "seeds=[0]")
    assert ended.code == 2
    assert "Error: the disk is full" in ended.err.splitlines()[-1]
    assert not list(tmp_path.rglob("*.tmp"))
    assert kdrun("distill", *TOY, "seeds=[0]").code == 0


def test_a_cut_checkpoint_is_named_and_retrained_only_when_asked(kdrun: Kdrun, tmp_path: Path) -> None:
    assert kdrun("distill", *TOY, "seeds=[0]").code == 0
    (weights,) = tmp_path.glob("outputs/runs/teacher-*/weights.safetensors")
    whole = weights.read_bytes()
    weights.write_bytes(whole[:100])
    refused = kdrun("distill", *TOY, "seeds=[0]", "tau=2")
    assert refused.code == 2
    assert f"{weights.relative_to(tmp_path)} is damaged or missing; add --retrain-damaged" in refused.err
    assert weights.stat().st_size == 100
    again = kdrun("distill", *TOY, "seeds=[0]", "--retrain-damaged")
    assert again.code == 0
    assert weights.read_bytes() == whole
    assert len(list(tmp_path.glob("outputs/runs/teacher-*damaged-1"))) == 1


def test_a_loss_that_is_not_finite_stops_that_run_and_the_others_finish(kdrun: Kdrun, tmp_path: Path) -> None:
    ended = kdrun("distill", *TOY, "seeds=[0]", "knowledge.kd.weight=1e38", "precision=fp32", "tau=1000")
    assert ended.code == 1
    assert "student mlp30 of mlp30, kd, tau 1000, alpha 0.7, seed 0: the loss is not finite at step" in ended.err
    assert len(list(tmp_path.glob("outputs/runs/baseline-*/result.json"))) == 1
    assert not list(tmp_path.glob("outputs/runs/student-*/result.json"))


def test_any_damage_is_mended_by_retraining_when_asked(kdrun: Kdrun, tmp_path: Path) -> None:
    assert kdrun("distill", *TOY, "seeds=[0]").code == 0
    (weights,) = tmp_path.glob("outputs/runs/teacher-*/weights.safetensors")
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    (predictions,) = tmp_path.glob("outputs/runs/student-*/predictions.csv")
    predictions.unlink()
    refused = kdrun("distill", *TOY, "seeds=[0]", "alpha=0.5")
    assert (refused.code, "add --retrain-damaged" in refused.err) == (2, True)
    assert kdrun("distill", *TOY, "seeds=[0]", "alpha=0.5", "--retrain-damaged").code == 0
    assert kdrun("distill", *TOY, "seeds=[0]", "--retrain-damaged").code == 0


@pytest.mark.parametrize(
    ("override", "message"),
    [
        (("dataset.mean=[0.5,0.5,0.5]", "dataset.std=[1,1,1]"), "dataset.mean has 3 numbers but the images have 1"),
        (("dataset.mean=[0.5]",), "dataset.mean and dataset.std go together"),
    ],
)
@pytest.mark.parametrize("dry", [(), ("--dry-run",)])
def test_a_normalisation_that_does_not_fit_is_refused_before_anything_is_written(
    kdrun: Kdrun, tmp_path: Path, override: tuple[str, ...], message: str, dry: tuple[str, ...]
) -> None:
    ended = kdrun("distill", *TOY, *override, *dry)
    assert (ended.code, message in ended.err) == (2, True)
    assert not (tmp_path / "outputs").exists()
