"""However a teacher's signals reach a run, and whoever made what is kept of them: its files are the same."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from carrying import (
    CONVOLUTIONAL,
    Watching,
    all_of,
    assert_same_runs,
    carry_out,
    interrupted_after,
    lab_at,
    lockstep,
    plan,
    weights_in,
)

from kdrun.errors import UserError
from kdrun.executors.processes import Processes
from kdrun.experiment.caching import Caching, Kind
from kdrun.experiment.running import begin
from kdrun.experiment.teaching import teacher_of
from kdrun.experiment.train import Interrupted
from kdrun.runs.cache import Cache, drop
from kdrun.runs.spec import RunSpec
from kdrun.signals import Batch, Signals
from kdrun.teachers import Teacher
from kdrun.teachers.network import NetworkTeacher

FEATURES = (*CONVOLUTIONAL, "knowledge=response/kd,relation/rkd,feature/fitnet")
SERIAL = lockstep(max_group=1)
EPOCHS, STEPS, VIEWS, EXAMPLES = 3, 5, 9, 100  # of a toy student


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Batch]:
    """The batches that networks are asked about as teachers."""
    batches: list[Batch] = []
    signals = NetworkTeacher.signals

    def counting(self: NetworkTeacher, batch: Batch) -> Signals:
        batches.append(batch)
        return signals(self, batch)

    monkeypatch.setattr(NetworkTeacher, "signals", counting)
    return batches


@contextmanager
def _teacher(kind: Kind, specs: Sequence[RunSpec], outputs: Path) -> Iterator[Teacher]:
    lab = lab_at(outputs, all_of(kind, specs))
    with teacher_of([begin(spec, lab) for spec in specs], lab, Watching(), lambda: None) as teacher:
        assert teacher is not None
        yield teacher


def _files(outputs: Path, pattern: str) -> list[str]:
    return sorted(path.name for path in outputs.glob(f"cache/{pattern}"))


def _signals(outputs: Path) -> set[str | None]:
    results = (json.loads(path.read_text()) for path in outputs.glob("runs/*/result.json"))
    return {result["teacher_signals"] for result in results if result["teacher_signals"]}


@pytest.mark.parametrize("overrides", [(), FEATURES], ids=["logits", "features"])
def test_a_table_says_what_the_teacher_says_of_every_example_in_every_view(
    tmp_path: Path, overrides: tuple[str, ...]
) -> None:
    specs = plan(*overrides, "controls=[]")
    carry_out(specs[:1], tmp_path)
    students = [spec for spec in specs if spec.teacher]
    data = lab_at(tmp_path).data(students[0].dataset)
    seen = set()
    with _teacher("live", students, tmp_path) as live, _teacher("table", students, tmp_path) as table:
        for batch in data.every_view(students[0]):
            for rows in torch.arange(len(batch.ids)).split(7):
                part = Batch(*(value[rows] for value in batch[:4]), epoch=0)  # type: ignore[arg-type, index]
                expected, said = live.signals(part), table.signals(part)
                torch.testing.assert_close(said.logits, expected.logits, atol=1e-5, rtol=1e-5)
                assert said.features.keys() == expected.features.keys()
                for layer, value in said.features.items():
                    torch.testing.assert_close(value, expected.features[layer], atol=1e-5, rtol=1e-5)
                seen |= set(zip(part.ids.tolist(), part.views.tolist(), strict=True))
    assert len(seen) == VIEWS * EXAMPLES


def test_a_student_is_the_same_whether_its_table_was_there_and_whoever_made_it(
    tmp_path: Path, asked: list[Batch]
) -> None:
    specs, others = plan("tau=1,8"), plan("tau=3", "seeds=[5]", "controls=[]")
    carry_out(specs, tmp_path / "cold", caching=all_of("table", specs))
    assert sum(len(batch.ids) for batch in asked) == VIEWS * EXAMPLES
    carry_out([*others, *specs[1:]], tmp_path / "warm", SERIAL, caching=all_of("table", [*others, *specs]))
    assert sum(len(batch.ids) for batch in asked) == 2 * VIEWS * EXAMPLES
    workers = Processes(workers=2, threads=1, max_group=1, memory_share=1.0, stack_up_to=0, state_every_s=100.0)
    carry_out(specs, tmp_path / "processes", workers, caching=all_of("table", specs))
    assert _signals(tmp_path / "cold") == _signals(tmp_path / "processes") == {"table"}
    assert_same_runs(tmp_path / "cold", tmp_path / "processes")
    cold, warm = weights_in(tmp_path / "cold"), weights_in(tmp_path / "warm")
    assert len(cold) == len(specs)
    assert {run: warm[run] for run in cold} == cold


@pytest.mark.parametrize(
    "overrides", [("tau=1,8",), FEATURES, ("tau=1,8", "precision=bf16"), ("tau=1,8", "cache.dtype=fp16")]
)
def test_with_a_schedule_the_one_who_writes_and_those_who_read_are_as_with_the_live_teacher(
    tmp_path: Path, asked: list[Batch], overrides: tuple[str, ...]
) -> None:
    specs = plan(*overrides, "controls=[]")
    carry_out(specs, tmp_path / "live")
    before = len(asked)
    carry_out(specs, tmp_path / "kept", SERIAL, caching=all_of("schedule", specs))
    reads_features = overrides is FEATURES
    assert len(asked) - before == EPOCHS * STEPS * (3 if reads_features else 1)
    assert len(_files(tmp_path / "kept", "schedule-*/logits.*.npy")) == EPOCHS
    assert _signals(tmp_path / "kept") == {"schedule"}
    assert_same_runs(tmp_path / "kept", tmp_path / "live")
    (tmp_path / "again").mkdir()
    (tmp_path / "kept" / "cache").rename(tmp_path / "again" / "cache")
    before = len(asked)
    carry_out(specs, tmp_path / "again", caching=all_of("schedule", specs))
    assert len(asked) == before
    assert_same_runs(tmp_path / "again", tmp_path / "live")


def test_a_schedule_that_has_no_room_is_not_written_and_changes_nothing(tmp_path: Path) -> None:
    specs = plan("controls=[]")
    carry_out(specs, tmp_path / "live")
    none = Caching({specs[-1].fingerprint: "schedule"}, max_bytes=0)
    carry_out(specs, tmp_path / "kept", caching=none)
    assert not _files(tmp_path / "kept", "*/*.npy")
    assert_same_runs(tmp_path / "kept", tmp_path / "live")


def test_a_table_that_has_no_room_says_what_to_type(tmp_path: Path) -> None:
    specs = plan("controls=[]")
    with pytest.raises(UserError, match=r"cache\.max_bytes=\d+, cache=auto, or `kdrun cache clear`"):
        carry_out(specs, tmp_path, caching=Caching({specs[-1].fingerprint: "table"}, max_bytes=100))


@pytest.mark.parametrize(("began", "then"), [("table", "live"), ("live", "table"), ("live", "schedule")])
def test_a_run_goes_on_with_the_numbers_that_it_began_with(tmp_path: Path, began: Kind, then: Kind) -> None:
    specs = plan("controls=[]")
    whole, other, cut = (tmp_path / name for name in ("whole", "other", "cut"))
    carry_out(specs, whole, caching=all_of(began, specs))
    carry_out(specs, other, caching=all_of(then, specs))
    if then == "schedule":  # a table may differ from a live teacher in the last digits, which depends on the processor
        assert weights_in(whole) == weights_in(other)
    carry_out(specs[:1], cut)
    interrupted_after(VIEWS + 8 if began == "table" else 8, specs, cut, caching=all_of(began, specs))
    assert lab_at(cut).store.folder(specs[-1]).is_started
    for folder in Cache(cut).folders():
        drop(folder)
    if then == "table":  # one is there by now
        with _teacher("table", plan("tau=2")[-1:], cut):
            pass
    carry_out(specs, cut, caching=all_of(then, specs))
    assert _signals(cut) == {"schedule" if then == "schedule" else began}
    assert_same_runs(cut, whole)


def test_runs_that_began_apart_go_on_apart(tmp_path: Path) -> None:
    specs = plan("tau=1,2,4", "controls=[]")
    carry_out(specs[:2], tmp_path)
    interrupted_after(3, specs[2:3], tmp_path, caching=all_of("table", specs))
    interrupted_after(8, specs[3:4], tmp_path, caching=all_of("live", specs))
    watching = Watching()
    carry_out(specs, tmp_path, caching=all_of("table", specs), observer=watching)
    assert watching.groups == [[specs[2], specs[4]], [specs[3]]]


def test_layers_join_a_table_that_has_the_logits(tmp_path: Path, asked: list[Batch]) -> None:
    kd, both = plan(*CONVOLUTIONAL), plan(*CONVOLUTIONAL, "knowledge=[response/kd,relation/rkd]")
    specs = list(dict.fromkeys([*kd, *both]))
    carry_out(kd, tmp_path, caching=all_of("table", specs))
    carry_out(both, tmp_path, caching=all_of("table", specs))
    assert _files(tmp_path, "*/*.npy") == ["features.pooled.npy", "logits.npy"]
    assert sum(len(batch.ids) for batch in asked) == 2 * VIEWS * EXAMPLES


@pytest.mark.parametrize("kind", ["table", "schedule"])
def test_a_damaged_file_is_told_and_made_again(tmp_path: Path, kind: Kind) -> None:
    specs, watching = plan("controls=[]"), Watching()
    carry_out(specs, tmp_path / "whole", caching=all_of(kind, specs))
    (tmp_path / "again").mkdir()
    (tmp_path / "whole" / "cache").rename(tmp_path / "again" / "cache")
    damaged = sorted((tmp_path / "again" / "cache").glob("*/*.npy"))[0]
    content = damaged.read_bytes()
    damaged.write_bytes(content[:-8])
    carry_out(specs, tmp_path / "again", caching=all_of(kind, specs), observer=watching)
    assert watching.remarks == [f"{damaged} is damaged: the teacher is asked again"]
    assert damaged.read_bytes() == content
    assert_same_runs(tmp_path / "again", tmp_path / "whole")


def test_a_fill_tells_how_far_it_is_and_stops_when_asked(tmp_path: Path) -> None:
    specs, watching = plan("controls=[]"), Watching()
    carry_out(specs[:2], tmp_path)
    with pytest.raises(Interrupted):
        carry_out(
            specs,
            tmp_path,
            caching=all_of("table", specs),
            observer=watching,
            stop=lambda: len(watching.filled) == 2,
        )
    assert watching.filled == [(EXAMPLES, VIEWS * EXAMPLES), (2 * EXAMPLES, VIEWS * EXAMPLES)]
    assert not list(tmp_path.glob("cache/*/*"))
    carry_out(specs, tmp_path, caching=all_of("table", specs), observer=watching)
    assert watching.filled[-1] == (VIEWS * EXAMPLES, VIEWS * EXAMPLES)


@pytest.mark.parametrize("kind", ["table", "schedule"])
def test_substitutes_are_made_from_what_is_kept_too(tmp_path: Path, kind: Kind) -> None:
    specs = plan("controls=[class_mean,teacher_argmax]")
    assert carry_out(specs, tmp_path / "kept", caching=all_of(kind, specs)) == []
    carry_out(specs, tmp_path / "live")
    kept, live = (
        {path.parent.name: json.loads(path.read_text())["test_nll"] for path in outputs.glob("runs/*/result.json")}
        for outputs in (tmp_path / "kept", tmp_path / "live")
    )
    assert kept == pytest.approx(live, rel=1e-4)
    if kind == "schedule":
        assert_same_runs(tmp_path / "kept", tmp_path / "live")
