"""Groups of runs in worker processes, several at once."""

from __future__ import annotations

import math
import os
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import NoReturn

import torch

from kdrun.errors import UserError
from kdrun.executors.agenda import Agenda
from kdrun.executors.crew import Crew, Hand
from kdrun.executors.free import POLL_S
from kdrun.executors.limits import Limits
from kdrun.executors.worker import Ended, Job
from kdrun.experiment.lab import Lab
from kdrun.experiment.several import Call
from kdrun.experiment.train import Interrupted, Observer
from kdrun.runs.spec import RunSpec


class Processes:
    """Carries out a plan in worker processes, each of which trains a group of runs side by side.

    With `device=auto` or `cuda` on a machine with several GPUs each worker has one of its own. The runs of a worker
    that was killed are taken up again, each alone; a run whose worker is killed a second time is given up.

    workers: the most processes at once; one is started when there is a group for it.
    threads: torch's threads in each worker; None for an equal part of this process's.
    max_group, memory_share: bounds of a group, see `Limits`; the memory is divided among the workers.
    state_every_s, stack_up_to: as for `Lockstep`.
    """

    def __init__(
        self,
        *,
        workers: int,
        threads: int | None,
        max_group: int,
        memory_share: float,
        state_every_s: float,
        stack_up_to: int,
    ) -> None:
        self._workers, self._threads = workers, threads
        self._limits = replace(Limits(max_group, memory_share), memory_share=memory_share / workers)
        self._state_every_s, self._stack_up_to = state_every_s, stack_up_to

    def groups(self, specs: Sequence[RunSpec], lab: Lab) -> list[list[RunSpec]]:
        return _divided(self._limits, len(specs), self._workers).groups(specs, lab)

    def execute(self, specs: Sequence[RunSpec], lab: Lab, observer: Observer, *, stop: Callable[[], bool]) -> list[str]:
        agenda = Agenda(specs, lab.store, observer)
        crew = Crew(self._workers, lambda number: self._job(number, specs, lab))
        dispatch = _Dispatch(agenda, crew, self._limits, lab, observer)
        try:
            while agenda.left() or crew.busy():
                if stop():
                    dispatch.stop()
                dispatch.give()
                dispatch.heed()
        finally:
            crew.end()
        return list(agenda.failures.values())

    def _job(self, number: int, specs: Sequence[RunSpec], lab: Lab) -> Job:
        device, devices = lab.device, 1
        if str(device) == "cuda":  # any of them
            devices = torch.cuda.device_count()
            device = torch.device("cuda", number % devices)
        return Job(
            specs=tuple(specs),
            outputs=lab.store.outputs,
            data_root=lab.data_root,
            device=str(device),
            room=lab.room.divided(self._workers, devices),
            compiling=lab.compiling,
            threads=self._threads or max(1, torch.get_num_threads() // self._workers),
            state_every_s=self._state_every_s,
            stack_up_to=self._stack_up_to,
            parent=os.getpid(),
            caching=lab.caching,
        )


def _divided(limits: Limits, count: int, workers: int) -> Limits:
    """Bounds under which so many runs make a group for each worker."""
    return replace(limits, max_group=min(limits.max_group, max(1, math.ceil(count / workers))))


@dataclass(frozen=True)
class _Dispatch:
    """Brings an agenda to a crew. killed: how often a worker was killed that had the run."""

    agenda: Agenda
    crew: Crew
    limits: Limits
    lab: Lab
    observer: Observer
    killed: Counter[RunSpec] = field(default_factory=Counter)

    def give(self) -> None:
        """Gives groups to workers without work, cut so that every worker gets a part of what is ready."""
        ready, busy = self.agenda.ready(), self.crew.busy()
        free = [spec for spec in ready if spec not in busy]
        limits = _divided(self.limits, len(ready), self.crew.most)
        together = limits.groups([spec for spec in free if not self.killed[spec]], self.lab)
        alone = [[spec] for spec in free if self.killed[spec]]
        for group in together + alone:
            hand = self.crew.free_hand()
            if hand is None:
                return
            hand.give(group)

    def heed(self) -> None:
        """Waits a little for what workers say, and acts on it."""
        for hand, message in self.crew.hear(POLL_S):
            if isinstance(message, Call):
                self._pass_on(message)
            elif isinstance(message, Ended):
                self._ended(hand, message)
            else:
                self._lost(hand)

    def stop(self) -> NoReturn:
        """Lets the workers save and end, and raises Interrupted."""
        for hand in self.crew.hands:
            hand.ask_to_stop()
        while self.crew.hands:
            for _, message in self.crew.hear(POLL_S):
                if isinstance(message, Call):
                    self._pass_on(message)
        raise Interrupted

    def _pass_on(self, call: Call) -> None:
        if call.method == "failed":  # it stays failed even if its worker is lost before the group ends
            spec, reason = call.arguments
            self.agenda.failed({spec: reason})
        call.pass_on(self.observer)

    def _ended(self, hand: Hand, message: Ended) -> None:
        hand.group = ()
        self.agenda.failed(message.failures)
        if message.error is not None:
            raise UserError(message.error)

    def _lost(self, hand: Hand) -> None:
        """Notes that a worker is gone: its runs are ready again, but for those that it happened to twice."""
        if hand.process.exitcode == 1:
            raise RuntimeError("a worker process failed; its traceback is above")
        lost = [spec for spec in hand.group if spec in self.agenda.left()]
        self.killed.update(lost)
        for spec in lost:
            if self.killed[spec] > 1:
                reason = (
                    f"{spec.title}: its worker process was killed twice, perhaps for want of memory; its last state is "
                    f"in {self.lab.store.folder(spec).path}; try executor.workers=1"
                )
                self.agenda.failed({spec: reason})
                self.lab.store.folder(spec).note_failure(reason + "\n")
                self.observer.failed(spec, reason)
