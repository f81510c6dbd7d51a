"""How far a plan has come, and how long the rest may take, from measured steps."""

from __future__ import annotations

import json
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from kdrun.experiment.train import Rows
    from kdrun.runs.spec import RunSpec
    from kdrun.training.learner import Position

RECENT = 0.8  # of what was measured before, how much still counts at the next epoch: later steps are like recent ones


class Length(NamedTuple):
    """How long a run is."""

    epochs: int
    steps_per_epoch: int

    @property
    def steps(self) -> int:
        return self.epochs * self.steps_per_epoch


@dataclass(frozen=True)
class Standing:
    """How a plan stands; the numbers are runs.

    done: with those that were finished before. failed: not counted as done.
    share: in [0, 1], of the steps of this command's runs.
    ends_at: on the tally's clock, s; None before anything was measured.
    """

    done: int
    failed: int
    running: int
    left: int
    share: float
    ends_at: float | None


class Tally:
    """An observer that measures; displays read its `standing`, which is a new value after each event.

    The time left is that of the steps left, at the seconds a step that were measured for the same kind of run (role,
    network, knowledge, batch size), and that of the runs' ends (their evaluation). A kind that has not been measured
    is taken to be as quick as others of its network, or else as all that were. What waits is shared by as many groups
    as have been seen at once.

    lengths: of the runs to train. before: how many of the plan's runs were finished before.
    clock: seconds.
    """

    def __init__(
        self, lengths: Mapping[RunSpec, Length], before: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.before, self.total = before, before + len(lengths)
        self._lengths, self._clock = lengths, clock
        self._steps = dict.fromkeys(lengths, 0)  # done, of each run
        self._groups: list[_Group] = []
        self._finished: set[RunSpec] = set()
        self._failed: set[RunSpec] = set()
        self._paces: defaultdict[_Kind, _Pace] = defaultdict(_Pace)
        self._ending = _Pace()
        self._most_groups = 1
        self.standing = self._look()

    def seconds_left(self) -> float | None:
        """Until the plan is carried out; None before anything was measured."""
        ends_at = self.standing.ends_at
        return None if ends_at is None else max(0.0, ends_at - self._clock())

    def started(self, specs: Sequence[RunSpec], epochs: int, done: Position) -> None:
        # Where one of a group begins again, an error or the end of its process ended the attempt of all of it.
        self._groups = [group for group in self._groups if not set(group.runs) & set(specs)]
        for spec in specs:
            self._steps[spec] = done.epoch * self._lengths[spec].steps_per_epoch + done.step
        self._groups.append(_Group(list(specs), self._clock()))
        self._most_groups = max(self._most_groups, len(self._groups))
        self.standing = self._look()

    def epoch(self, rows: Rows) -> None:
        passed = self._passed(next(iter(rows))) / len(rows)
        for spec, row in rows.items():
            steps = row["epoch"] * self._lengths[spec].steps_per_epoch
            self._paces[_kind(spec)].add(passed, steps - self._steps[spec])
            self._steps[spec] = steps
        self.standing = self._look()

    def finished(self, spec: RunSpec, result: Mapping[str, Any]) -> None:
        self._ending.add(self._passed(spec), 1)
        self._end(spec, self._finished)

    def failed(self, spec: RunSpec, reason: str) -> None:
        self._end(spec, self._failed)

    def filling(self, done: int, total: int) -> None:
        """A teacher is asked: no step is taken meanwhile, and the time is none of the steps'."""
        for group in self._groups:
            group.heard = self._clock()
        self.standing = self._look()

    def remarked(self, line: str) -> None:
        pass

    def _end(self, spec: RunSpec, ended: set[RunSpec]) -> None:
        self._leave(spec)
        self._steps[spec] = self._lengths[spec].steps
        ended.add(spec)
        self.standing = self._look()

    def _leave(self, spec: RunSpec) -> None:
        for group in self._groups:
            if spec in group.runs:
                group.runs.remove(spec)
        self._groups = [group for group in self._groups if group.runs]

    def _passed(self, spec: RunSpec) -> float:
        """Seconds since something was last heard of a run's group."""
        group = next((group for group in self._groups if spec in group.runs), None)
        if group is None:
            return 0.0
        now = self._clock()
        passed, group.heard = now - group.heard, now
        return passed

    def _look(self) -> Standing:
        running = [spec for group in self._groups for spec in group.runs]
        all_steps = sum(length.steps for length in self._lengths.values())
        ended = len(self._finished) + len(self._failed)
        return Standing(
            done=self.before + len(self._finished),
            failed=len(self._failed),
            running=len(running),
            left=len(self._lengths) - ended - len(running),
            share=sum(self._steps.values()) / all_steps if all_steps else 1.0,
            ends_at=self._ends_at(set(running)),
        )

    def _ends_at(self, running: set[RunSpec]) -> float | None:
        if not self._paces:
            return None
        waiting = self._lengths.keys() - running - self._finished - self._failed
        ends = [group.heard + self._seconds(group.runs) for group in self._groups]
        now = self._clock()
        shared = (sum(end - now for end in ends) + self._seconds(waiting)) / self._most_groups
        return max([now + shared, *ends])

    def _seconds(self, runs: Iterable[RunSpec]) -> float:
        """What is left of runs, each by its share of the time of its group."""
        steps = {spec: self._lengths[spec].steps - self._steps[spec] for spec in runs}
        return sum(left * self._seconds_a_step(_kind(spec)) + self._ending.each for spec, left in steps.items())

    def _seconds_a_step(self, kind: _Kind) -> float:
        if kind in self._paces:
            return self._paces[kind].each
        alike = [pace for other, pace in self._paces.items() if other.network == kind.network]
        paces = alike or self._paces.values()
        return _Pace(sum(one.seconds for one in paces), sum(one.count for one in paces)).each


@dataclass
class _Group:
    """Runs side by side. heard: when something was last heard of them."""

    runs: list[RunSpec]
    heard: float


@dataclass
class _Pace:
    """Seconds for a number of equal things, the recent ones above all."""

    seconds: float = 0.0
    count: float = 0.0

    def add(self, seconds: float, count: int) -> None:
        self.seconds = RECENT * self.seconds + seconds
        self.count = RECENT * self.count + count

    @property
    def each(self) -> float:
        return self.seconds / self.count if self.count else 0.0


class _Kind(NamedTuple):
    """The same for runs whose steps take the same time."""

    network: str
    learns: str


def _kind(spec: RunSpec) -> _Kind:
    network = json.dumps([spec.model, spec.recipe["batch_size"], spec.dataset["name"]])
    return _Kind(network, "+".join([spec.kind, *spec.terms]))
