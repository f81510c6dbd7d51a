"""Times the steps of a loop from the question that it asks after each of them."""

from __future__ import annotations

import time
from typing import NamedTuple

import torch


class StepTime(NamedTuple):
    """Seconds a step, on the wall and of the process's CPU time (all threads), over `steps` steps."""

    wall: float
    cpu: float
    steps: int


class Watch:
    """Asked after every step whether to stop: passes over `warm_up` steps, times `steps` more, then says yes.

    warm_up, steps: at least 1. device: is waited for where the time is taken.
    """

    def __init__(self, warm_up: int, steps: int, device: torch.device) -> None:
        self._warm_up, self._steps, self._device = warm_up, steps, device
        self._done = 0
        self._marks: list[tuple[float, float]] = []

    def __call__(self) -> bool:
        self._done += 1
        if self._done in (self._warm_up, self._warm_up + self._steps):
            self._marks.append((now(self._device), time.process_time()))
        return self._done >= self._warm_up + self._steps

    @property
    def is_timing(self) -> bool:
        """Whether the warm-up is over and the last step is not yet done."""
        return self._warm_up <= self._done < self._warm_up + self._steps

    def step_time(self) -> StepTime | None:
        """None where the loop ended before all of the steps were done."""
        if len(self._marks) < 2:
            return None
        (wall, cpu), (wall_end, cpu_end) = self._marks
        return StepTime((wall_end - wall) / self._steps, (cpu_end - cpu) / self._steps, self._steps)


def now(device: torch.device) -> float:
    """The clock, in seconds, once the device has done what it was given."""
    if device.type != "cpu":
        torch.accelerator.synchronize(device)
    return time.perf_counter()
