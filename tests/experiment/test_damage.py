"""Damage to any file of a store is noticed, and a kill at any moment is no damage."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from carrying import Watching, all_of, assert_same_runs, carry_out, interrupted_after, lab_at, lockstep, plan

from kdrun.errors import UserError
from kdrun.experiment.caching import Kind
from kdrun.experiment.running import begin
from kdrun.runs.cache import Cache
from kdrun.runs.cache_folder import CacheFolder
from kdrun.runs.finding import recalled
from kdrun.runs.folder import DamagedFileError, RunFolder
from kdrun.runs.integrity import json_with_digest
from kdrun.runs.store import Store
from kdrun.runs.verify import check, damaged_files, verified

FLIPS = 400
SMOKE = ("dataset=digits", "train=smoke", "teacher=mlp30", "student=mlp30", "controls=[]")
ALWAYS = lockstep(max_group=1, state_every_s=0.0)


@pytest.fixture(autouse=True, scope="module")
def _semantics() -> Iterator[None]:
    """Files of this version are told from those of kdrun 0.1, whatever `semantics` this commit has."""
    with pytest.MonkeyPatch.context() as patch:
        for module in ("spec", "cache_folder"):
            patch.setattr(f"kdrun.runs.{module}.SEMANTICS", 4)
        yield


@dataclass(frozen=True)
class Kept:
    """A kind of file: an example, and how it is loaded; loading raises UserError, or returns whether it is there."""

    kind: str
    path: Path
    load: Callable[[], object]


def _of_a_run(store: Store, folder: RunFolder) -> list[Kept]:
    loads: dict[str, Callable[[], object]] = {
        "spec.json": lambda: recalled(store, folder),
        "state.pt": folder.load_state,
        "result.json": folder.result,
        "weights.safetensors": folder.weights,
        "predictions.csv": folder.predictions,
        "metrics.csv": folder.epochs if folder.is_finished else lambda: folder.check("metrics.csv"),
        "classes.csv": folder.class_names,
    }
    state = "finished" if folder.is_finished else "begun"
    return [Kept(f"{state} {name}", folder.path / name, loads[name]) for name in folder.files()]


def _of_the_cache(folder: CacheFolder) -> list[Kept]:
    kind = folder.about()["kind"]
    epoch = 0 if kind == "schedule" else None
    array = Kept(kind, folder.file("logits", epoch), lambda: folder.array("logits", epoch) is not None)
    return [array, Kept(f"about {kind}", folder.path / "about.json", lambda: bool(folder.about()))]


@pytest.fixture(scope="module")
def outputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished student that read a table, one that read a schedule, and one that was begun."""
    made = tmp_path_factory.mktemp("store")
    for number, kind in enumerate(("table", "schedule")):
        specs = plan(*SMOKE, f"tau={number + 1}")
        assert carry_out(specs, made, caching=all_of(kind, specs)) == []  # type: ignore[arg-type]
    interrupted_after(100, plan(*SMOKE, "train.student.epochs=4"), made, executor=ALWAYS)
    return made


def _kept(outputs: Path) -> list[Kept]:
    store = Store(outputs)
    runs = [one for folder in store.folders() for one in _of_a_run(store, folder)]
    return runs + [one for folder in Cache(outputs).folders() for one in _of_the_cache(folder)]


def _is_noticed(one: Kept) -> bool:
    try:
        return one.load() is False
    except UserError as error:
        return str(one.path) in error.message


def test_400_of_400_random_flipped_bits_are_noticed_when_the_file_is_loaded(outputs: Path) -> None:
    by_kind: dict[str, list[Kept]] = {}
    for one in _kept(outputs):
        by_kind.setdefault(one.kind, []).append(one)
    assert len(by_kind) == 13, sorted(by_kind)
    assert not [one for kept in by_kind.values() for one in kept if _is_noticed(one)]
    chance, missed = random.Random(0), []
    for number in range(FLIPS):
        one = chance.choice(by_kind[sorted(by_kind)[number % len(by_kind)]])
        content = one.path.read_bytes()
        place = chance.randrange(8 * len(content))
        flipped = bytearray(content)
        flipped[place // 8] ^= 1 << place % 8
        one.path.write_bytes(flipped)
        if not _is_noticed(one):
            missed.append((one.path, place))
        one.path.write_bytes(content)
    assert missed == []


def test_verification_names_exactly_the_files_with_flipped_bits(outputs: Path) -> None:
    assert [found.damaged for _, found in verified(Store(outputs)) if found.damaged] == []
    for one in _kept(outputs):
        content = one.path.read_bytes()
        one.path.write_bytes(bytes([content[0] ^ 1]) + content[1:])
        named = [path for _, found in verified(Store(outputs)) for path in found.damaged]
        assert named == [one.path], one.kind
        one.path.write_bytes(content)


def test_metrics_of_a_run_that_goes_on_are_restored_from_its_state(outputs: Path) -> None:
    lab = lab_at(outputs)
    (spec,) = [spec for spec in plan(*SMOKE, "train.student.epochs=4") if lab.store.folder(spec).is_started]
    path = lab.store.folder(spec).path / "metrics.csv"
    before = path.read_bytes()
    assert before.count(b"\n") > 1
    for damage in (b"", before[:-3], before + b"1,2\n"):
        path.write_bytes(damage)
        assert damaged_files(lab.store.folder(spec)) == [path]
    check(lab.store.folder(spec))  # nothing keeps the run from going on
    begin(spec, lab)
    assert path.read_bytes() == before


def test_a_run_that_is_finished_between_two_looks_at_it_is_not_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = RunFolder(tmp_path / "student-a-b-0")
    folder.path.mkdir()
    (folder.path / "spec.json").write_bytes(json_with_digest({"run_id": folder.path.name}))
    folder.save_state({}, [])
    look = RunFolder.check

    def finished_before(self: RunFolder, name: str) -> None:
        if name == "state.pt":
            result = {"run_id": folder.path.name, "test_accuracy": 0.5, "test_examples": 1, "train_seconds": 1.0}
            folder.finish({}, [], "id\n", [], result)
        look(self, name)

    monkeypatch.setattr(RunFolder, "check", finished_before)
    check(folder)
    assert folder.is_finished


def test_a_damaged_table_takes_no_room_from_the_one_that_replaces_it(tmp_path: Path) -> None:
    specs = plan("controls=[]")
    carry_out(specs[:1], tmp_path)
    caching = all_of("table", specs)
    carry_out(specs, tmp_path / "measured", caching=caching)
    (measured,) = Cache(tmp_path / "measured").folders()
    shutil.copytree(measured.path, tmp_path / "cache" / measured.path.name)
    (folder,) = Cache(tmp_path).folders()
    folder.file("logits").write_bytes(bytes(folder.file("logits").stat().st_size))
    enough = Cache(tmp_path).nbytes() + 100
    assert carry_out(specs, tmp_path, caching=replace(caching, max_bytes=enough)) == []
    assert folder.file("logits").read_bytes() == measured.file("logits").read_bytes()


@pytest.mark.parametrize("kind", ["table", "schedule"])
def test_a_damaged_about_is_named_and_made_again(tmp_path: Path, kind: Kind) -> None:
    specs, watching = plan("controls=[]"), Watching()
    carry_out(specs, tmp_path / "whole", caching=all_of(kind, specs))
    (tmp_path / "again").mkdir()
    (tmp_path / "whole" / "cache").rename(tmp_path / "again" / "cache")
    (about,) = (tmp_path / "again" / "cache").glob("*/about.json")
    content = about.read_bytes()
    about.write_bytes(content.replace(b'"logits"', b'"logitr"'))
    carry_out(specs, tmp_path / "again", caching=all_of(kind, specs), observer=watching)
    assert watching.remarks == [f"{about} is damaged: the teacher is asked again"]
    assert about.read_bytes() == content
    assert_same_runs(tmp_path / "again", tmp_path / "whole")


@pytest.mark.parametrize("kind", ["table", "schedule"])
def test_a_flipped_bit_of_an_array_is_remarked_and_the_teacher_asked_again(tmp_path: Path, kind: Kind) -> None:
    specs, watching = plan("controls=[]"), Watching()
    carry_out(specs, tmp_path / "whole", caching=all_of(kind, specs))
    (tmp_path / "again").mkdir()
    (tmp_path / "whole" / "cache").rename(tmp_path / "again" / "cache")
    array = sorted((tmp_path / "again" / "cache").glob("*/*.npy"))[0]
    content = array.read_bytes()
    array.write_bytes(content[:200] + bytes([content[200] ^ 4]) + content[201:])
    carry_out(specs, tmp_path / "again", caching=all_of(kind, specs), observer=watching)
    assert watching.remarks == [f"{array} is damaged: the teacher is asked again"]
    assert array.read_bytes() == content
    assert_same_runs(tmp_path / "again", tmp_path / "whole")


@pytest.mark.parametrize("kind", ["table", "schedule"])
def test_what_a_kill_at_any_moment_leaves_is_not_damaged_and_goes_on_to_the_same_numbers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: Kind
) -> None:
    """A file is as it was, or as it is to be; the store is verified and copied between any two changes of its files."""
    specs, outputs = plan("controls=[]", "train.teacher.epochs=2", "train.student.epochs=2"), tmp_path / "watched"
    moments: list[Path] = []

    def watched(change: Callable[..., object]) -> Callable[..., object]:
        def changing(path: Path, *arguments: object, **named: object) -> object:
            done = change(path, *arguments, **named)
            if outputs in path.parents:
                damaged = [found.damaged for _, found in verified(Store(outputs)) if found.damaged]
                assert damaged == [], (path, arguments)
                moments.append(shutil.copytree(outputs, tmp_path / str(len(moments))))
            return done

        return changing

    with monkeypatch.context() as patch:
        for name in ("replace", "unlink"):
            patch.setattr(Path, name, watched(getattr(Path, name)))
        carry_out(specs, outputs, ALWAYS, caching=all_of(kind, specs))
    assert len(moments) > 60
    for moment in random.Random(0).sample(moments, 10):
        for spec in specs:
            check(Store(moment).folder(spec))
        assert carry_out(specs, moment, caching=all_of(kind, specs)) == []
        assert_same_runs(moment, outputs)


def test_a_damaged_state_is_never_gone_on_from(tmp_path: Path) -> None:
    specs = plan("controls=[]")
    interrupted_after(8, specs, tmp_path)
    begun = next(folder for folder in Store(tmp_path).folders() if folder.is_started)
    content = bytearray((begun.path / "state.pt").read_bytes())
    content[len(content) // 2] ^= 16
    (begun.path / "state.pt").write_bytes(content)
    with pytest.raises(DamagedFileError, match=r"state\.pt is damaged"):
        carry_out(specs, tmp_path)


def test_how_a_run_began_is_not_read_from_a_damaged_description(tmp_path: Path) -> None:
    specs = plan("controls=[]")
    carry_out(specs[:1], tmp_path)
    interrupted_after(12, specs, tmp_path, caching=all_of("table", specs))
    lab = lab_at(tmp_path)
    (begun,) = [spec for spec in specs if lab.store.folder(spec).is_started][:1]
    path = lab.store.folder(begun).path / "spec.json"
    path.write_bytes(path.read_bytes().replace(b'"teacher_signals": ', b'"teacher_signalz": '))
    with pytest.raises(DamagedFileError, match=r"spec\.json is damaged"):
        lab.teacher_signals(begun)
