"""Damaged files as a user meets them: `--retrain-damaged`, `kdrun runs --verify`, and stores of kdrun 0.1."""

from __future__ import annotations

import json
import shlex
import shutil
import time
from pathlib import Path

import pandas as pd
import pytest
from calling import TOY, Kdrun, start_process
from carrying import all_of, carry_out, interrupted_after, lockstep, plan

from kdrun.runs.folder import RunFolder
from kdrun.runs.integrity import DIGEST, checked_json
from kdrun.runs.store import Store
from kdrun.runs.verify import verified

COMMAND = ("distill", *TOY, "seeds=[0]", "controls=[]")
ADVICE = "is damaged or missing; add --retrain-damaged to the command that trains this run"


def _flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def _one(tmp_path: Path, pattern: str) -> Path:
    (path,) = tmp_path.glob(f"outputs/{pattern}")
    return path


def _weights(tmp_path: Path) -> dict[str, bytes]:
    paths = tmp_path.glob("outputs/runs/*/weights.safetensors")
    return {path.parent.name: path.read_bytes() for path in paths if ".damaged-" not in path.parent.name}


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What COMMAND leaves with cache=table, but for the report."""
    specs, made = plan("controls=[]"), tmp_path_factory.mktemp("made")
    assert carry_out(specs, made, caching=all_of("table", specs)) == []
    return made


@pytest.fixture
def store(trained: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(trained, tmp_path / "outputs"))


def test_any_damaged_file_of_a_finished_run_is_named_and_its_run_trained_anew_when_asked(
    kdrun: Kdrun, tmp_path: Path
) -> None:
    command = ("train-teacher", *TOY)
    assert kdrun(*command).code == 0
    whole, run = _weights(tmp_path), _one(tmp_path, "runs/teacher-*")
    names = ("spec.json", "result.json", "weights.safetensors", "metrics.csv", "predictions.csv", "classes.csv")
    for number, name in enumerate(names, 1):
        _flip(run / name)
        damaged = (run / name).read_bytes()
        refused = kdrun(*command)
        assert refused.code == 2
        assert f"{(run / name).relative_to(tmp_path)} {ADVICE}" in refused.err
        assert "damaged" in kdrun(*command, "--dry-run").out.splitlines()[-1]
        again = kdrun(*command, "--retrain-damaged")
        assert again.code == 0
        aside = run.with_name(f"{run.name}.damaged-{number}")
        assert f"set aside as {aside.relative_to(tmp_path)}" in again.err
        assert (aside / name).read_bytes() == damaged
        assert _weights(tmp_path) == whole


@pytest.mark.parametrize("name", ["state.pt", "spec.json"])
def test_a_damaged_file_of_a_begun_run_is_named_and_the_run_begun_anew_when_asked(
    kdrun: Kdrun, tmp_path: Path, name: str
) -> None:
    interrupted_after(8, plan("controls=[]"), tmp_path / "outputs")
    run = _one(tmp_path, "runs/*/state.pt").parent
    _flip(run / name)
    refused = kdrun(*COMMAND)
    assert (refused.code, f"{name} {ADVICE}" in refused.err) == (2, True)
    assert kdrun(*COMMAND, "--retrain-damaged").code == 0
    assert RunFolder(run).is_finished
    assert (run.with_name(f"{run.name}.damaged-1") / name).is_file()


def test_a_run_that_another_process_trains_is_not_set_aside(kdrun: Kdrun, tmp_path: Path) -> None:
    interrupted_after(8, plan("controls=[]"), tmp_path / "outputs")
    run = _one(tmp_path, "runs/*/state.pt").parent
    _flip(run / "state.pt")
    with RunFolder(run).lock().acquire(timeout=0):
        refused = kdrun(*COMMAND, "--retrain-damaged")
    assert (refused.code, "being trained" in refused.err) == (2, True)
    assert run.is_dir()


@pytest.mark.parametrize("command", [("explain", "student-", *TOY[:2]), ("compare", "student-", "baseline-")])
@pytest.mark.usefixtures("store")
def test_a_command_that_trains_nothing_names_the_file_and_the_command_to_type(
    kdrun: Kdrun, tmp_path: Path, command: tuple[str, ...]
) -> None:
    name = "weights.safetensors" if command[0] == "explain" else "result.json"
    _flip(_one(tmp_path, f"runs/student-*/{name}"))
    refused = kdrun(*command)
    assert (refused.code, f"{name} {ADVICE} (kdrun distill, sweep or train-teacher)" in refused.err) == (2, True)


def test_an_empty_store_is_verified(kdrun: Kdrun) -> None:
    ended = kdrun("runs", "--verify")
    assert (ended.code, ended.out) == (0, "0 runs and 0 folders of the cache, 0 files, 0.0 kB verified: 0 damaged\n")


@pytest.mark.usefixtures("store")
def test_verify_reads_every_file_and_says_how_many(kdrun: Kdrun, tmp_path: Path) -> None:
    interrupted_after(8, plan("controls=[]", "tau=2"), tmp_path / "outputs", executor=lockstep(state_every_s=0.0))
    shutil.copytree(_one(tmp_path, "runs/teacher-*"), tmp_path / "outputs" / "runs" / "teacher-x.damaged-1")
    read = [path for path in tmp_path.glob("outputs/*/*/*") if path.suffix in {".json", ".csv", ".npy", ".pt"}]
    read += list(tmp_path.glob("outputs/runs/*/*.safetensors"))
    read = [path for path in read if "reports" not in path.parts and ".damaged-" not in path.parent.name]
    ended = kdrun("runs", "--verify")
    size = sum(path.stat().st_size for path in read)
    counts = f"4 runs and 1 folders of the cache, {len(read)} files, {size / 1e3:,.1f} kB verified: 0 damaged\n"
    assert (ended.code, ended.out, ended.err) == (0, counts, "")


def test_verify_names_each_damaged_file_and_what_to_do_about_it(kdrun: Kdrun, tmp_path: Path) -> None:
    assert kdrun(*COMMAND, "cache=table").code == 0
    begun = plan("controls=[]", "tau=2", "train.student.epochs=4")
    interrupted_after(15, begun, tmp_path / "outputs", executor=lockstep(max_group=1, state_every_s=0.0))
    student = _one(tmp_path, "runs/student-*/predictions.csv")
    state = _one(tmp_path, "runs/*/state.pt")
    metrics = state.with_name("metrics.csv")
    array, about = _one(tmp_path, "cache/*/logits.npy"), _one(tmp_path, "cache/*/about.json")
    for path in (student, state, array, about):
        _flip(path)
    first = kdrun("runs", "--verify")
    assert first.code == 1
    *lines, last = first.out.splitlines()
    told = dict(line.split(": damaged or missing; ") for line in lines)
    assert set(told) == {str(path.relative_to(tmp_path)) for path in (student, state, array, about)}
    command = shlex.join(["kdrun", *COMMAND, "cache=table", "--retrain-damaged"])
    assert told[str(student.relative_to(tmp_path))] == f"to train the run again, type: {command}"
    assert "add --retrain-damaged to the kdrun distill, sweep" in told[str(state.relative_to(tmp_path))]
    assert told[str(array.relative_to(tmp_path))].endswith(f"type: kdrun cache clear {array.parent.name}")
    assert last.endswith(": 4 damaged")
    assert kdrun(*shlex.split(command)[1:]).code == 0
    _flip(state)
    _flip(metrics)
    (line, _) = kdrun("runs", "--verify").out.splitlines()
    assert line.startswith(f"{metrics.relative_to(tmp_path)}: damaged or missing; it is restored")


def test_verify_raises_no_false_alarm_while_another_process_trains(kdrun: Kdrun, tmp_path: Path) -> None:
    command = ("train-teacher", *TOY, "train.teacher.epochs=20", "executor.state_every_s=0")
    process = start_process(*command, cwd=tmp_path)
    looked = 0
    while process.poll() is None:
        time.sleep(0.01)
        found = [one for _, one in verified(Store(tmp_path / "outputs"))]
        assert [one.damaged for one in found if one.damaged] == []
        files = sum(one.files for one in found)
        looked += files == 3  # those of a begun run
    process.communicate()
    assert process.returncode == 0
    assert looked > 5


def _as_0_1(folder: Path) -> None:
    """Turns the files of a folder into those that kdrun 0.1 wrote."""
    for path in folder.glob("*.json"):
        content = checked_json(path.read_bytes())
        content.pop("files", None)
        if path.name == "spec.json":
            content["semantics"] = 3
        if path.name == "about.json":
            del content["semantics"]
        path.write_text(json.dumps(content, indent=2) + "\n")


@pytest.fixture
def old(store: Path, tmp_path: Path) -> Path:
    """A store of kdrun 0.1: three finished runs and a folder of the cache, under names of its own."""
    kept = _one(tmp_path, "cache/[!.]*")
    kept = kept.rename(kept.with_name("table-mlp30-blobs-00000000000a"))
    for run in (*tmp_path.glob("outputs/runs/*"), kept):
        _as_0_1(run)
    for number, run in enumerate(sorted(tmp_path.glob("outputs/runs/*"))):
        run.rename(run.with_name(f"{run.name.rpartition('-')[0]}-00000000000{number}"))
    return store


def test_runs_of_0_1_are_listed_as_such_with_their_accuracy(kdrun: Kdrun, old: Path) -> None:
    (result,) = old.glob("runs/teacher-*/result.json")
    accuracy = f"{100 * json.loads(result.read_text())['test_accuracy']:.2f}"
    (next(old.glob("runs/student-*")) / "result.json").unlink()
    *rows, last = kdrun("runs").out.splitlines()
    told = {row.split()[0].partition("-")[0]: row for row in rows[1:]}
    assert "finished (0.1)" in told["teacher"]
    assert accuracy in told["teacher"]
    assert "begun (0.1)" in told["student"]
    assert "damaged" not in " ".join(rows)
    assert last == "3 runs in outputs/runs"


def test_verify_counts_the_folders_of_0_1_apart_and_calls_none_damaged(kdrun: Kdrun, old: Path) -> None:
    ended = kdrun("runs", "--verify")
    assert ended.code == 0
    assert ended.out == (
        "0 runs and 0 folders of the cache, 0 files, 0.0 kB verified; 4 folders of kdrun 0.1, which have no digests: "
        "0 damaged\n"
    )


@pytest.mark.parametrize("command", [("explain", "student-"), ("explain",), ("compare", "student-", "baseline-")])
def test_whatever_wants_to_use_a_run_of_0_1_says_that_it_must_be_trained_anew(
    kdrun: Kdrun, old: Path, command: tuple[str, ...]
) -> None:
    refused = kdrun(*command)
    assert refused.code == 2
    assert "was made by kdrun 0.1, whose runs cannot be continued or reused" in refused.err
    assert "retrain-damaged" not in refused.err
    assert len(refused.err.splitlines()) == 1


def test_beside_a_store_of_0_1_everything_is_made_anew(kdrun: Kdrun, old: Path) -> None:
    before = {path: path.read_bytes() for path in old.glob("*/*-00000000000*/*")}
    assert kdrun(*COMMAND, "cache=table").code == 0
    assert {path: path.read_bytes() for path in before} == before
    assert kdrun("runs").out.count("finished") == 6
    listed = kdrun("cache", "list").out
    assert "table-mlp30-blobs-00000000000a" in listed
    assert listed.count("100 examples x 9 views: logits") == 2
    results = pd.read_csv(old / "results.csv")
    assert len(results) == 6
    assert not {"files", DIGEST} & set(results.columns)


@pytest.mark.usefixtures("store")
def test_a_file_of_this_version_without_its_digest_is_damaged_and_not_of_0_1(kdrun: Kdrun, tmp_path: Path) -> None:
    spec = _one(tmp_path, "runs/student-*/spec.json")
    spec.write_text(json.dumps(checked_json(spec.read_bytes()) | {"semantics": 4}))
    ended = kdrun("runs", "--verify")
    assert (ended.code, ended.out.count("spec.json: damaged or missing")) == (1, 1)
    assert "(0.1)" not in kdrun("runs").out
