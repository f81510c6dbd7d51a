"""Where the time of kdrun's step goes: clocks around the stream, the teacher, the losses and the optimiser."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.optim.optimizer import register_optimizer_step_post_hook, register_optimizer_step_pre_hook

from kdrun.bench.own import Together, forget
from kdrun.bench.watch import Watch, now
from kdrun.experiment.lab import Lab
from kdrun.experiment.running import begin
from kdrun.experiment.teaching import teacher_of
from kdrun.modes import Mode
from kdrun.runs.spec import RunSpec
from kdrun.signals import Batch, Signals
from kdrun.teachers import Teacher
from kdrun.training.learner import Position
from kdrun.training.loop import Stream, fit

PARTS = ("data", "teacher", "student", "backward", "optimiser", "rest")


class Parts:
    """Sums of seconds by part, over the steps that the watch times. Every clock waits for the device."""

    def __init__(self, watch: Watch, device: torch.device) -> None:
        self.seconds = dict.fromkeys(PARTS, 0.0)
        self._watch, self._device = watch, device
        self._mark = 0.0

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        self.begin()
        yield
        self.end(name)

    def begin(self) -> None:
        self._mark = now(self._device)

    def end(self, name: str) -> None:
        """Adds what has passed since the last mark, which is set anew."""
        before, self._mark = self._mark, now(self._device)
        if self._watch.is_timing:
            self.seconds[name] += self._mark - before


@dataclass(frozen=True)
class TimedStream:
    """A stream; what it takes to give a batch is `data`."""

    stream: Stream
    parts: Parts

    @property
    def steps_per_epoch(self) -> int:
        return self.stream.steps_per_epoch

    def epoch(self, epoch: int, *, start: int = 0) -> Iterator[Batch]:
        batches = self.stream.epoch(epoch, start=start)
        while True:
            with self.parts.part("data"):
                batch = next(batches, None)
            if batch is None:
                return
            yield batch


@dataclass(frozen=True)
class TimedTeacher:
    """A teacher; what it takes to be heard is `teacher`."""

    teacher: Teacher
    parts: Parts

    def signals(self, batch: Batch) -> Signals:
        with self.parts.part("teacher"):
            return self.teacher.signals(batch)


class TimedMode:
    """A mode; its forward pass with the losses is `student`."""

    def __init__(self, mode: Mode, parts: Parts) -> None:
        self.trained, self.network, self.student = mode.trained, mode.network, mode.student
        self.teacher_layers, self.part_names = mode.teacher_layers, mode.part_names
        self.mode, self.parts = mode, parts

    def losses(self, batch: Batch, teacher: Signals | None) -> tuple[Tensor, ...]:
        with self.parts.part("student"):
            return self.mode.losses(batch, teacher)

    def compile(self, **options: Any) -> None:
        self.mode.compile(**options)


@contextmanager
def _timed_optimizers(parts: Parts) -> Iterator[None]:
    """From the end of the losses to the update is `backward`, the update itself `optimiser`."""

    def before(*_: Any) -> None:
        parts.end("backward")

    def after(*_: Any) -> None:
        parts.end("optimiser")

    hooks = [register_optimizer_step_pre_hook(before), register_optimizer_step_post_hook(after)]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def breakdown(spec: RunSpec, lab: Lab, watch: Watch) -> dict[str, float]:
    """Seconds a step in each of PARTS, over the steps that the watch times; the run is begun anew."""
    forget([spec], lab)
    running, data = begin(spec, lab), lab.data(spec.dataset)
    parts = Parts(watch, lab.device)
    with teacher_of([running], lab, Together(), lambda: None) as teacher, _timed_optimizers(parts):
        running.learner.mode = TimedMode(running.learner.mode, parts)
        timed_teacher = None if teacher is None else TimedTeacher(teacher, parts)
        stream = TimedStream(data.training_batches(spec), parts)
        fitted = fit(
            [running.learner], timed_teacher, stream, epochs=spec.recipe["epochs"], start=Position(0, 0), pause=watch
        )
        for reached in fitted:
            if not reached.epoch_done or watch():
                break
    taken = watch.step_time()
    if taken is None:
        return dict.fromkeys(PARTS, 0.0)
    seconds = {name: parts.seconds[name] / taken.steps for name in PARTS[:-1]}
    return {**seconds, "rest": taken.wall - sum(seconds.values())}
