"""The one training loop."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from typing import NamedTuple, Protocol

from kdrun.signals import Batch, Signals
from kdrun.teachers import Teacher
from kdrun.training.learner import Learner, Position


class Stream(Protocol):
    """Batches in an order that depends on the epoch alone (see `kdrun.data.batches.Batches`)."""

    @property
    def steps_per_epoch(self) -> int: ...

    def epoch(self, epoch: int, *, start: int = 0) -> Iterator[Batch]: ...


class Stepper(Protocol):
    """One learner, or several that take their steps together (`kdrun.training.stack`)."""

    @property
    def learners(self) -> Sequence[Learner]: ...

    def step(self, batch: Batch, teacher: Signals | None, position: Position) -> None:
        """One update of each of its learners."""
        ...

    def without(self, lost: Collection[Learner]) -> Sequence[Stepper]:
        """What goes on when some learners stop, its own or others."""
        ...


class Diverged(NamedTuple):
    """A learner whose loss was not finite, and the step (from 0, within the epoch) at which it first was not."""

    learner: Learner
    step: int


class Reached(NamedTuple):
    """How far training has come. `epoch_done` at the end of an epoch, otherwise a pause that was asked for."""

    position: Position
    epoch_done: bool
    diverged: tuple[Diverged, ...] = ()


def fit(
    steppers: Sequence[Stepper],
    teacher: Teacher | None,
    stream: Stream,
    *,
    epochs: int,
    start: Position,
    pause: Callable[[], bool],
) -> Iterator[Reached]:
    """Trains a group of learners side by side on one stream of batches, under one teacher pass for all of them.

    A single run is a group of one. Yields at the end of every epoch, and after any step at which `pause()` is
    true, so that the caller may save, report or stop; between yields nothing is printed or written, and the
    device is not waited for. A learner's weights do not depend on who trains beside it, but for
    the rounding of a stack.

    steppers: the group, each learner in one of them.
    teacher: asked once a batch; None where no learner needs one.
    epochs: the number of the whole run; start: where to begin, (0, 0) or a position yielded earlier.
    """
    active = list(steppers)
    for epoch in range(start.epoch, epochs):
        learners = [learner for stepper in active for learner in stepper.learners]
        for learner in learners:
            learner.train_mode()
        first = start.step if epoch == start.epoch else 0
        for step, batch in enumerate(stream.epoch(epoch, start=first), start=first):
            signals = teacher.signals(batch) if teacher is not None else None
            for stepper in active:
                stepper.step(batch, signals, Position(epoch, step))
            if step + 1 < stream.steps_per_epoch and pause():
                yield Reached(Position(epoch, step + 1), epoch_done=False)
        bad = tuple(Diverged(one, lost) for one in learners if (lost := one.first_bad_step()) is not None)
        lost_ones = [diverged.learner for diverged in bad]
        active = [rest for stepper in active for rest in stepper.without(lost_ones)]
        yield Reached(Position(epoch + 1, 0), epoch_done=True, diverged=bad)
        if not active:
            return
