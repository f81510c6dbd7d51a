"""Rounds in turns, medians and ratios."""

from __future__ import annotations

import time
from functools import partial

import pytest
import torch

from kdrun.bench import Stop
from kdrun.bench.rounds import WARM_UP, interleaved, ratios, step_times
from kdrun.bench.spread import Spread
from kdrun.bench.watch import StepTime
from kdrun.errors import UserError

CPU = torch.device("cpu")

# A machine that is slow in the second round: medians of times would not be paired.
ROUNDS = [
    {"ours": StepTime(1.0, 0.5, 4), "theirs": StepTime(2.0, 2.0, 2)},
    {"ours": StepTime(9.0, 0.5, 4), "theirs": StepTime(9.0, 4.0, 2)},
    {"ours": StepTime(2.0, 0.75, 4), "theirs": StepTime(8.0, 1.5, 2)},
]


def test_times_are_medians_with_least_and_greatest() -> None:
    assert step_times(ROUNDS, "ours", "wall") == Spread(2.0, 1.0, 9.0)
    assert step_times(ROUNDS, "ours", "cpu") == Spread(0.5, 0.5, 0.75)


def test_a_ratio_is_the_median_of_the_rounds_own_ratios() -> None:
    assert ratios(ROUNDS, "theirs", "ours", "wall") == Spread(2.0, 1.0, 4.0)
    assert ratios(ROUNDS, "ours", "theirs", "cpu") == Spread(0.25, 0.125, 0.5)


class Loop:
    """Steps that take a while, counted; `begun` notes the order in which loops begin."""

    def __init__(self, name: str, seconds: float, begun: list[str], most: int = 10_000) -> None:
        self.name, self.seconds, self.begun, self.most = name, seconds, begun, most
        self.stretches: list[int] = []

    def __call__(self, stop: Stop) -> None:
        self.begun.append(self.name)
        self.stretches.append(0)
        for _ in range(self.most):
            time.sleep(self.seconds)
            self.stretches[-1] += 1
            if stop():
                return


def test_the_order_turns_and_the_first_round_is_thrown_away() -> None:
    begun: list[str] = []
    loops = {name: Loop(name, 0.001, begun) for name in "abc"}
    rounds = list(interleaved(loops, CPU, rounds=3, seconds=0.003, most_steps=100))
    assert len(rounds) == 3
    assert "".join(begun) == "abc" + "abc" + "bca" + "cab" + "abc"  # trials, the lost round, three rounds


def test_a_stretch_takes_about_the_seconds_asked_for() -> None:
    loops = {"slow": Loop("slow", 0.02, []), "fast": Loop("fast", 0.002, [])}
    (one,) = interleaved(loops, CPU, rounds=1, seconds=0.06, most_steps=1000)
    assert one["slow"].steps <= 3
    assert one["fast"].steps > 3
    assert loops["fast"].stretches[-1] == one["fast"].steps + WARM_UP


def test_a_stretch_is_no_longer_than_the_run() -> None:
    (one,) = interleaved({"a": Loop("a", 0.0001, [])}, CPU, rounds=1, seconds=10.0, most_steps=12)
    assert one["a"].steps == 12 - WARM_UP


def test_a_run_shorter_than_the_warm_up_is_refused() -> None:
    with pytest.raises(UserError, match="the run has 3 steps"):
        list(interleaved({"a": Loop("a", 0.0, [])}, CPU, rounds=1, seconds=1.0, most_steps=WARM_UP))


def test_a_loop_that_ends_early_is_named() -> None:
    timing = partial(interleaved, {"a": Loop("a", 0.0, [], most=4)}, CPU, rounds=1, seconds=1.0, most_steps=100)
    with pytest.raises(UserError, match="a ended before its 3 steps were done"):
        list(timing())
