"""Which runs are paired, and what is said of those that are not."""

from __future__ import annotations

import copy
import math
from typing import Any

import pytest

from kdrun.metrics.paired import paired
from kdrun.reports.pairing import flat, pairing
from kdrun.reports.sides import Entry, Trained

SPEC: dict[str, Any] = {
    "semantics": 1,
    "kind": "student",
    "seed": 0,
    "data_seed": 0,
    "dataset": {"name": "digits", "source": {"_target_": "a.Digits"}, "split_seed": 0, "content": {"sha256": "0" * 64}},
    "model": {"name": "mlp", "_target_": "mine.Mlp", "widths": [64, 64]},
    "recipe": {"epochs": 20, "batch_size": 64, "optimizer": {"_target_": "torch.optim.SGD", "lr": 0.1}},
    "precision": "fp32",
    "terms": {"kd": {"_target_": "theirs.Loss", "tau": 4.0}},
    "code": {"mine": "aaa", "theirs": "bbb"},
}


def _entry(side: str, accuracies: list[float], first_seed: int = 0, **numbers: float) -> Entry:
    told = {"train_examples": 1000.0, "test_examples": 500.0, "epochs": 20.0} | numbers
    runs = tuple(
        Trained(
            run_id=f"student-{side}-{seed}",
            seed=seed,
            spec=copy.deepcopy(SPEC) | {"seed": seed, "data_seed": seed},
            accuracy=accuracy,
            nll=0.1,
            ece=0.01,
            device="cpu",
            **told,
        )
        for seed, accuracy in enumerate(accuracies, first_seed)
    )
    return Entry(side, "student", f"kd {side}", "digits", "mlp", len(runs), runs, {})


def _changed(entry: Entry, path: str, value: Any) -> Entry:
    for run in entry.runs:
        *folders, key = path.split(".")
        place: Any = run.spec
        for folder in folders:
            place = place[folder]
        place[key] = value
    return entry


A = [0.90, 0.91, 0.92]
B = [0.91, 0.93, 0.92]


def test_comparable_runs_are_paired_by_seed_with_the_one_statistic() -> None:
    found = pairing(_entry("B", B), _entry("A", A))
    assert found.refusals == ()
    assert found.gain == paired([b - a for b, a in zip(B, A, strict=True)])


def test_only_seeds_that_both_sides_have_are_paired() -> None:
    found = pairing(_entry("B", B, first_seed=1), _entry("A", A))
    assert (found.gain.n, found.gain.mean) == (2, pytest.approx((0.91 - 0.91 + 0.93 - 0.92) / 2))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("terms.kd.tau", 8.0),
        ("terms", {}),
        ("kind", "control"),
        ("code.theirs", "ccc"),
        ("alpha", 0.1),
        ("parents", ["another teacher"]),
    ],
)
def test_what_is_learned_and_from_whom_may_differ(path: str, value: Any) -> None:
    assert pairing(_changed(_entry("B", B), path, value), _entry("A", A)).refusals == ()


@pytest.mark.parametrize(
    ("path", "value", "refusal"),
    [
        ("dataset.name", "mnist", "data: name mnist against digits"),
        ("dataset.split_seed", 1, "data: split_seed 1 against 0"),
        ("dataset.content.sha256", "1" * 64, "data: content.sha256 111111111111... against 000000000000..."),
        ("model.widths", [32], "network: widths [32] against [64, 64]"),
        ("model.name", "conv", "network: name conv against mlp"),
        ("recipe.epochs", 30, "budget: epochs 30 against 20"),
        ("recipe.batch_size", 32, "budget: batch_size 32 against 64"),
        ("recipe.optimizer.lr", 0.2, "budget: optimizer.lr 0.2 against 0.1"),
        ("recipe.optimizer.momentum", 0.9, "budget: optimizer.momentum 0.9 against nothing"),
        ("precision", "bf16", "budget: precision bf16 against fp32"),
        ("semantics", 2, "kdrun's results: semantics 2 against 1"),
        ("code.mine", "ccc", "code: mine ccc against aaa"),
        ("data_seed", 7, "data_seed: 7 against 0 at seed 0"),
    ],
)
def test_another_budget_network_or_data_is_refused_with_both_values(path: str, value: Any, refusal: str) -> None:
    found = pairing(_changed(_entry("B", B), path, value), _entry("A", A))
    assert found.refusals == (refusal,)
    assert (found.gain.n, found.gain.verdict) == (0, "no pair")


def test_every_reason_is_told() -> None:
    ours = _changed(_entry("B", B, first_seed=5, train_examples=500.0, test_examples=400.0), "recipe.epochs", 30)
    assert pairing(ours, _entry("A", A)).refusals == (
        "test examples 400 against 500",
        "training examples 500 against 1,000",
        "budget: epochs 30 against 20",
        "seeds: 5, 6, 7 against 0, 1, 2",
    )


def test_of_many_differences_of_a_kind_four_are_told() -> None:
    ours = _changed(_entry("B", B), "recipe", {f"key{number}": 1 for number in range(9)})
    (refusal,) = pairing(ours, _entry("A", A)).refusals
    assert refusal.count("against") == 4
    assert refusal.endswith(", 9 more")


def test_the_same_runs_are_no_comparison() -> None:
    assert pairing(_entry("A", A), _entry("A", A)).refusals == ("the same runs",)


def test_runs_of_an_earlier_version_say_too_little_to_be_paired() -> None:
    ours = _entry("B", B)
    for run in ours.runs:
        run.spec.clear()  # type: ignore[attr-defined]
    (refusal,) = pairing(ours, _entry("A", A)).refusals
    assert "make it again with the command that made it" in refusal


def test_a_side_without_a_finished_run_has_no_pair() -> None:
    found = pairing(_entry("B", []), _entry("A", A))
    assert found.refusals == ("no finished run on one side",)
    assert math.isnan(found.gain.mean)


def test_a_description_is_flattened_with_its_values_as_json() -> None:
    assert flat({"a": {"b": [1, 2], "c": None}, "d": "x"}) == {"a.b": "[1, 2]", "a.c": "null", "d": "x"}


def test_one_value_typed_in_two_ways_and_data_that_were_moved_are_one_and_the_same() -> None:
    ours, theirs = (_changed(_entry(side, A), "dataset.places", {"folder": None}) for side in "AB")
    for entry, folder, number in ((ours, "here", 64), (theirs, "there", 64.0)):
        _changed(_changed(entry, "dataset.source.folder", folder), "recipe.batch_size", number)
    assert pairing(ours, theirs).refusals == ()
    _changed(theirs, "dataset.source.image_size", 32)
    assert pairing(ours, theirs).refusals == ("data: source.image_size nothing against 32",)
