"""Loops in turns: several rounds, each with a stretch of steps of every loop, and the ratios within rounds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

import torch

from kdrun.bench import Loop
from kdrun.bench.spread import Spread, spread
from kdrun.bench.watch import StepTime, Watch
from kdrun.errors import UserError

WARM_UP = 3  # steps of every stretch that are not timed: allocator, optimiser states, caches
TRIAL = 3  # timed steps from which the length of a stretch is chosen

Round = Mapping[str, StepTime]
Clock = Literal["wall", "cpu"]
CLOCKS: tuple[Clock, ...] = ("wall", "cpu")


def interleaved(
    loops: Mapping[str, Loop], device: torch.device, *, rounds: int, seconds: float, most_steps: int
) -> Iterator[Round]:
    """Times every loop in each of `rounds` rounds, in an order that turns from round to round.

    One more round comes first and is thrown away, so that what a loop keeps (caches) is warm.
    seconds: about how long a stretch of a loop takes. most_steps: its steps are at most so many, warm-up and all.
    Raises UserError where a loop ends before its steps are done.
    """
    if most_steps <= WARM_UP:
        raise UserError(
            f"the run has {most_steps} steps, and {WARM_UP} are for warming up; give it more: train.student.epochs=10"
        )
    room = most_steps - WARM_UP
    trials = {name: _timed(name, loop, device, min(TRIAL, room)) for name, loop in loops.items()}
    steps = {name: max(1, min(room, round(seconds / trial.wall))) for name, trial in trials.items()}
    names = list(loops)
    for number in range(rounds + 1):
        first = number % len(names)
        order = names[first:] + names[:first]
        timed = {name: _timed(name, loops[name], device, steps[name]) for name in order}
        if number:
            yield timed


def _timed(name: str, loop: Loop, device: torch.device, steps: int) -> StepTime:
    watch = Watch(WARM_UP, steps, device)
    loop(watch)
    taken = watch.step_time()
    if taken is None:
        raise UserError(f"{name} ended before its {steps} steps were done: its loss was not finite, or it has too few")
    return taken


def step_times(rounds: Sequence[Round], name: str, clock: Clock) -> Spread:
    """Seconds a step of one loop."""
    return spread([getattr(one[name], clock) for one in rounds])


def ratios(rounds: Sequence[Round], name: str, over: str, clock: Clock) -> Spread:
    """The time of a step of one loop over that of another in the same round; above 1: the first is slower."""
    return spread([getattr(one[name], clock) / getattr(one[over], clock) for one in rounds])
