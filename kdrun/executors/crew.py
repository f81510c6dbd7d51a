"""Worker processes, from the side of the process that gives them work."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from itertools import count
from multiprocessing import get_context
from multiprocessing.connection import wait

from kdrun.executors.worker import Ended, Job, work
from kdrun.experiment.several import Call
from kdrun.interrupts import ignored_by_children
from kdrun.runs.spec import RunSpec

_SPAWN = get_context("spawn")  # a fork would share a GPU's context and torch's threads


class Hand:
    """One worker process. group: the runs that it has been given and has not ended."""

    def __init__(self, number: int, job: Job) -> None:
        self.number = number
        self.group: Sequence[RunSpec] = ()
        self._numbers = {spec: index for index, spec in enumerate(job.specs)}
        self.connection, theirs = _SPAWN.Pipe()
        # No daemon: it may have processes of its own that decode images. It ends when nobody listens any more.
        self.process = _SPAWN.Process(target=work, args=(job, theirs))
        with ignored_by_children(signal.SIGINT):  # the parent tells it
            self.process.start()
        theirs.close()

    def give(self, group: Sequence[RunSpec]) -> None:
        self.group = group
        self._send([self._numbers[spec] for spec in group])

    def ask_to_stop(self) -> None:
        """A worker in training saves and ends, an idle one ends."""
        self.process.terminate()
        self._send(None)

    def hear(self) -> Call | Ended | None:
        """What the worker said; None when it is gone."""
        try:
            message: Call | Ended = self.connection.recv()
        except (EOFError, ConnectionResetError):
            self.process.join()
            return None
        return message

    def _send(self, numbers: list[int] | None) -> None:
        # A worker that is gone is noticed where it is listened to.
        with suppress(BrokenPipeError, ConnectionResetError):
            self.connection.send(numbers)


class Crew:
    """The workers there are.

    most: the most of them at once. job_of: the job of a worker with a given number, from 0.
    """

    def __init__(self, most: int, job_of: Callable[[int], Job]) -> None:
        self.hands: list[Hand] = []
        self.most = most
        self._job_of = job_of

    def busy(self) -> set[RunSpec]:
        """The runs that workers have been given."""
        return {spec for hand in self.hands for spec in hand.group}

    def free_hand(self) -> Hand | None:
        """A worker without work, a new one if there may be more; None where all are busy."""
        idle = next((hand for hand in self.hands if not hand.group), None)
        if idle is None and len(self.hands) < self.most:
            taken = {hand.number for hand in self.hands}
            number = next(number for number in count() if number not in taken)
            idle = Hand(number, self._job_of(number))
            self.hands.append(idle)
        return idle

    def hear(self, timeout_s: float) -> Iterator[tuple[Hand, Call | Ended | None]]:
        """What workers say within the time; None of one that is gone, which is then no longer among them."""
        speaking = wait([hand.connection for hand in self.hands], timeout_s)
        for hand in [hand for hand in self.hands if hand.connection in speaking]:
            message = hand.hear()
            if message is None:
                self.hands.remove(hand)
            yield hand, message

    def end(self) -> None:
        """Waits until every worker has ended; those in training save first."""
        for hand in self.hands:
            hand.ask_to_stop()
            hand.connection.close()  # so that none waits for a listener
        for hand in self.hands:
            hand.process.join()
