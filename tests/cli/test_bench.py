"""`kdrun bench`: small, from the command line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from calling import TOY, Kdrun

QUICK = ("--rounds", "2", "--seconds", "0.01", "--quiet")
SPREAD = {"median", "least", "greatest"}


def _json(kdrun: Kdrun, *arguments: str) -> dict[str, Any]:
    ended = kdrun("bench", *arguments, "--json")
    assert (ended.code, ended.err) == (0, "")
    (line,) = ended.out.splitlines()
    measured: dict[str, Any] = json.loads(line)
    return measured


def test_the_step_is_compared_and_taken_apart(kdrun: Kdrun, tmp_path: Path) -> None:
    measured = _json(kdrun, *TOY, *QUICK)
    assert measured["bench"] == "step"
    assert (measured["student"], measured["batch_size"], measured["train_examples"]) == ("mlp30", 20, 100)
    assert {"kdrun", "bare", "peer"} <= measured["loops"].keys()
    for loop in measured["loops"].values():
        assert loop["wall_ms"].keys() == loop["cpu_ms"].keys() == SPREAD
        assert loop["images_a_second"] == pytest.approx(20_000 / loop["wall_ms"]["median"])
    assert {"kdrun/bare", "peer/kdrun"} <= measured["ratios"].keys()
    assert all(ratio["wall"].keys() == ratio["cpu"].keys() == SPREAD for ratio in measured["ratios"].values())
    assert list(measured["breakdown_ms"]) == ["data", "teacher", "student", "backward", "optimiser", "rest"]
    assert measured["work"].keys() == {"step_flops", "flops_a_second", "matmul_flops_a_second", "share_of_matmul"}
    assert {"threads", "torch", "device"} <= measured["environment"].keys()
    assert measured["settings"] == [word for word in TOY if "=" in word]
    assert not list(tmp_path.iterdir())


def test_auto_is_settled_for_every_loop(kdrun: Kdrun) -> None:
    assert _json(kdrun, *TOY, *QUICK, "precision=auto")["precision"] in ("fp32", "bf16")


def test_it_is_printed_as_tables(kdrun: Kdrun) -> None:
    printed = kdrun("bench", *TOY, *QUICK)
    assert printed.code == 0
    for words in ("mlp30 under mlp30 on blobs", "kdrun/bare", "peer/kdrun", "backward", "MFLOPs a step"):
        assert words in printed.out


def test_rounds_are_told_unless_quiet(kdrun: Kdrun) -> None:
    assert kdrun("bench", *TOY, *QUICK[:-1]).err.splitlines() == ["round 1 of 2", "round 2 of 2"]


def test_other_knowledge_is_timed_and_the_difference_said(kdrun: Kdrun) -> None:
    conv = ("teacher=conv_m", "student=conv_s", "dataset.source.size=12", "knowledge=[response/kd,feature/fitnet]")
    printed = kdrun("bench", *TOY[:4], *conv, *QUICK)
    assert printed.code == 0, printed.err
    assert "The other loops compute labels and softened logits only" in printed.out


def test_labels_alone_are_timed(kdrun: Kdrun) -> None:
    measured = _json(kdrun, *TOY, *QUICK, "alpha=0")
    assert measured["teacher"] is None
    assert measured["breakdown_ms"]["teacher"] == 0


def test_a_sweep_is_compared_with_its_runs_one_by_one(kdrun: Kdrun, tmp_path: Path) -> None:
    measured = _json(kdrun, "sweep", "--k", "3", *TOY, *QUICK)
    assert (measured["bench"], measured["k"]) == ("sweep", 3)
    for clock in ("wall", "cpu"):
        assert measured[clock].keys() == {"together_ms", "alone_ms", "share"}
        assert 0 < measured[clock]["share"]["median"] < 1.5
    assert not list(tmp_path.iterdir())
    assert "each alone, sum ms" in kdrun("bench", "sweep", "--k", "2", *TOY, *QUICK).out


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("taau=4",), "did you mean tau?"),
        (("executor=processes",), "use executor=lockstep"),
        (("sweep", "executor=serial"), "1 of 8 runs trained side by side"),
        (("sweep", "tau=2"), "tau is given more than once"),
        (("train.student.epochs=1", "train.student.batch_size=50"), "the run has 2 steps"),
        (("tau=1,2",), "several values"),
        (("--rounds", "0"), "0 is not in the range"),
    ],
)
def test_a_mistake_is_answered_in_one_line(kdrun: Kdrun, arguments: tuple[str, ...], line: str) -> None:
    ended = kdrun("bench", *arguments, *TOY[:2], *[one for one in TOY[2:] if "=" in one])
    assert ended.code == 2
    (told,) = ended.err.splitlines()[-1:]
    assert line in told


def test_its_commands_are_listed_and_completed(kdrun: Kdrun) -> None:
    assert all(name in kdrun("bench", "--help").out for name in ("step", "sweep", "startup", "scaling"))
