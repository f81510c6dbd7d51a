"""What `cache=auto` takes, and what is refused: decided on the whole plan, before anything is computed."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from carrying import CONVOLUTIONAL, all_of, carry_out, interrupted_after, lab_at, lockstep, plan

from kdrun.config.schema import Cache as Wish
from kdrun.errors import UserError
from kdrun.executors.processes import Processes
from kdrun.experiment.decide import Decision, decide
from kdrun.runs.cache import Cache, drop
from kdrun.runs.spec import RunSpec

# A toy student sees 100 examples in each of 3 epochs, each in one of 9 views: 300 forward passes for a stream,
# 900 for a table; 4 classes, 16 bytes an example.
TOGETHER, SERIAL = lockstep(), lockstep(max_group=1)
WORKERS = Processes(workers=2, threads=1, max_group=100, memory_share=1.0, stack_up_to=0, state_every_s=100.0)
PLAIN = "train.student.augment.padding=0"
SEEDS = "seeds=[0,1,2,3,4,5,6]"
FEATURES = (*CONVOLUTIONAL, PLAIN, "knowledge=response/kd,feature/fitnet")
MUCH = 10**9


def _decided(specs: list[RunSpec], outputs: Path, executor: Any, kind: str = "auto", max_bytes: int = MUCH) -> Decision:
    lab = lab_at(outputs)
    return decide(executor.groups(specs, lab), lab, Wish(kind, "fp32", max_bytes), "cpu")


def _kinds(decision: Decision, specs: list[RunSpec]) -> Counter[str | None]:
    return Counter(decision.caching.kind_of(spec, None) for spec in specs if spec.teacher)


@pytest.mark.parametrize(
    ("overrides", "executor", "max_bytes", "expected", "why"),
    [
        (("tau=1,2,4",), TOGETHER, MUCH, {"live": 3}, "less than half of 300 forward passes"),
        (("tau=1,2,4",), SERIAL, MUCH, {"schedule": 3}, "300 forward passes in place of 900"),
        (("tau=1,2",), SERIAL, MUCH, {"schedule": 2}, "300 forward passes in place of 600"),
        (("tau=1,2,4",), WORKERS, MUCH, {"schedule": 3}, "300 forward passes in place of 600"),
        ((SEEDS,), TOGETHER, MUCH, {"table": 7}, "900 forward passes in place of 2,100"),
        ((SEEDS,), TOGETHER, 900 * 16, {"table": 7}, "900 forward passes in place of 2,100"),
        ((SEEDS,), TOGETHER, 900 * 16 - 1, {"live": 7}, "a table needs 14.4 kB, there is room for 14.4 kB"),
        ((PLAIN,), TOGETHER, MUCH, {"table": 1}, "100 forward passes in place of 300"),
        ((PLAIN, "cache.dtype=fp16"), TOGETHER, 100 * 8, {"table": 1}, "100 forward passes"),
        ((PLAIN, "tau=1,2"), SERIAL, 100 * 16 - 1, {"live": 2}, "there is room for 1.6 kB"),
        (("train.student.epochs=1", PLAIN), TOGETHER, MUCH, {"live": 1}, "less than half of 100"),
        ((*FEATURES,), TOGETHER, MUCH, {"table": 2}, "100 forward passes in place of 300"),
        ((*FEATURES,), TOGETHER, 5000, {"live": 2}, "there is room for 5.0 kB"),
        ((*FEATURES,), SERIAL, 5000, {"table": 1, "live": 1}, "there is room for 5.0 kB"),
        ((PLAIN, "teacher=mlp30,mlp64"), TOGETHER, 100 * 16, {"table": 1, "live": 1}, "in place of 300"),
        ((PLAIN, "controls=[class_mean]"), TOGETHER, MUCH, {"table": 2}, "in place of 300"),
        (("tau=1,2", "controls=[class_mean]"), SERIAL, MUCH, {"schedule": 2, "live": 2}, "in place of 600"),
    ],
)
def test_auto_takes_what_asks_the_teacher_least_where_that_pays_and_fits(
    tmp_path: Path, overrides: tuple[str, ...], executor: Any, max_bytes: int, expected: dict[str, int], why: str
) -> None:
    specs = plan(*overrides)
    decision = _decided(specs, tmp_path, executor, max_bytes=max_bytes)
    assert _kinds(decision, specs) == expected
    assert why in decision.choices[0].why
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize(("kind", "bytes_of_it"), [("table", 900 * 16), ("schedule", 300 * 16)])
def test_what_is_asked_for_is_taken_and_refused_where_it_does_not_fit(
    tmp_path: Path, kind: str, bytes_of_it: int
) -> None:
    specs = plan("controls=[]")
    decision = _decided(specs, tmp_path, TOGETHER, kind, bytes_of_it)
    assert _kinds(decision, specs) == {kind: 1}
    assert decision.choices[0].new_bytes == bytes_of_it
    with pytest.raises(UserError, match=rf"a {kind} of .* needs .*: type cache\.max_bytes={bytes_of_it}, cache=auto"):
        _decided(specs, tmp_path, TOGETHER, kind, bytes_of_it - 1)


@pytest.mark.parametrize("kind", ["auto", "off"])
def test_without_a_teacher_there_is_nothing_to_decide(tmp_path: Path, kind: str) -> None:
    assert _decided(plan("alpha=0"), tmp_path, TOGETHER, kind) == Decision(_decided([], tmp_path, TOGETHER).caching, ())


def test_off_asks_live(tmp_path: Path) -> None:
    specs = plan(PLAIN)
    assert _kinds(_decided(specs, tmp_path, TOGETHER, "off"), specs) == {"live": 1}


@pytest.mark.parametrize("kind", ["table", "schedule"])
def test_what_is_there_costs_nothing(tmp_path: Path, kind: Any) -> None:
    made, specs = plan("tau=3", "controls=[]"), plan("tau=1", "controls=[]")
    carry_out(made, tmp_path, caching=all_of(kind, made))
    (choice,) = _decided(specs, tmp_path, TOGETHER).choices
    assert (choice.kind, choice.new_bytes) == (kind, 0)
    assert "0 forward passes in place of 300" in choice.why


def test_what_is_in_the_cache_already_counts_towards_the_bound(tmp_path: Path) -> None:
    other = tmp_path / "cache" / "table-other"
    other.mkdir(parents=True)
    (other / "logits.npy").write_bytes(bytes(1000))
    specs = plan(PLAIN, "controls=[]")
    assert _kinds(_decided(specs, tmp_path, TOGETHER, max_bytes=100 * 16 + 999), specs) == {"live": 1}
    assert _kinds(_decided(specs, tmp_path, TOGETHER, max_bytes=100 * 16 + 1000), specs) == {"table": 1}


def test_a_run_that_began_with_a_table_brings_it_back_and_the_others_read_it(tmp_path: Path) -> None:
    specs = plan("tau=1,2", "controls=[]")
    carry_out(specs[:2], tmp_path)
    interrupted_after(15, specs[2:3], tmp_path, caching=all_of("table", specs))
    for folder in Cache(tmp_path).folders():
        drop(folder)
    decision = _decided(specs[2:], tmp_path, TOGETHER)
    assert [choice.why for choice in decision.choices] == [
        "runs that began with it go on with it",
        "0 forward passes in place of 300",
    ]
    lab = lab_at(tmp_path, decision.caching)
    assert [lab.teacher_signals(spec) for spec in specs[2:]] == ["table", "table"]
    off = lab_at(tmp_path, _decided(specs[2:], tmp_path, TOGETHER, "off").caching)
    assert [off.teacher_signals(spec) for spec in specs[2:]] == ["table", "live"]
    with pytest.raises(UserError, match="a table of teacher mlp30"):
        _decided(specs[2:], tmp_path, TOGETHER, max_bytes=100)


def test_a_run_that_began_live_stays_live_where_others_take_a_table(tmp_path: Path) -> None:
    specs = plan("tau=1,2", "controls=[]")
    carry_out(specs[:2], tmp_path)
    interrupted_after(3, specs[2:3], tmp_path)
    lab = lab_at(tmp_path, _decided(specs[2:], tmp_path, TOGETHER, "table").caching)
    assert [lab.teacher_signals(spec) for spec in specs[2:]] == ["live", "table"]
    lab = lab_at(tmp_path, _decided(specs[2:], tmp_path, TOGETHER, "schedule").caching)
    assert [lab.teacher_signals(spec) for spec in specs[2:]] == ["schedule", "schedule"]
