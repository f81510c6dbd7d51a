"""The watch: which steps it times."""

from __future__ import annotations

import time

import torch

from kdrun.bench.watch import Watch

CPU = torch.device("cpu")


def test_it_says_stop_after_warm_up_and_timed_steps_and_keeps_saying_so() -> None:
    watch = Watch(2, 3, CPU)
    assert [watch() for _ in range(7)] == [False] * 4 + [True] * 3


def test_only_the_timed_steps_are_counted() -> None:
    watch = Watch(1, 2, CPU)
    time.sleep(0.2)  # the warm-up's step
    watch()
    for _ in range(2):
        time.sleep(0.01)
        watch()
    time.sleep(0.2)
    watch()
    taken = watch.step_time()
    assert taken is not None
    assert 0.01 <= taken.wall < 0.1
    assert taken.cpu < taken.wall  # asleep
    assert taken.steps == 2


def test_it_is_timing_between_the_warm_up_and_the_last_step() -> None:
    watch = Watch(1, 2, CPU)
    timing = []
    for _ in range(4):
        timing.append(watch.is_timing)
        watch()
    assert timing == [False, True, True, False]


def test_a_loop_that_ends_early_has_no_time() -> None:
    watch = Watch(1, 2, CPU)
    watch()
    watch()
    assert watch.step_time() is None
