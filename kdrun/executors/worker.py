"""A worker process: trains the groups of runs that it is given, and tells of their progress.

Light to import: the process answers signals from its first moment, and torch comes after that.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from kdrun.errors import UserError
from kdrun.runs.spec import RunSpec

if TYPE_CHECKING:
    from kdrun.experiment.train import Observer, Rows
    from kdrun.training.learner import Position


class Job(NamedTuple):
    """What a worker needs for all its groups.

    specs: the runs of the plan; a group is given as their numbers.
    threads: torch's. parent: the process to work for.
    """

    specs: tuple[RunSpec, ...]
    outputs: Path
    data_root: Path
    device: str
    threads: int
    state_every_s: float
    parent: int


class Told(NamedTuple):
    """A call of one of the observer's methods."""

    method: str
    arguments: tuple[Any, ...]

    def pass_on(self, observer: Observer) -> None:
        getattr(observer, self.method)(*self.arguments)


class Ended(NamedTuple):
    """The end of a group: a line for each run that could not be finished, or the error that stopped all."""

    failures: dict[RunSpec, str]
    error: str | None


def work(job: Job, connection: Connection) -> None:
    """Trains groups until None comes instead of one; saves and ends when asked by SIGTERM or left alone."""
    asked: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _frame: asked.append(number))
    import torch

    from kdrun.executors.free import POLL_S, train_free
    from kdrun.experiment.lab import Lab
    from kdrun.experiment.train import Interrupted
    from kdrun.runs.store import Store

    def stop() -> bool:
        return bool(asked) or os.getppid() != job.parent

    def train(numbers: Sequence[int]) -> dict[RunSpec, str]:
        specs = [job.specs[number] for number in numbers]
        failures = train_free(specs, lab, relay, stop=stop, state_every_s=job.state_every_s)
        if failures is None:
            time.sleep(POLL_S)
        return failures or {}

    torch.set_num_threads(job.threads)
    lab = Lab(Store(job.outputs), torch.device(job.device), job.data_root)
    relay = Relay(connection)
    try:
        while (numbers := connection.recv()) is not None:
            relay.tell(Ended(train(numbers), None))
    except UserError as error:
        relay.tell(Ended({}, error.message))
    except (Interrupted, EOFError):
        return


class Relay:
    """An observer that passes everything on to the parent."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def started(self, specs: Sequence[RunSpec], epochs: int, done: Position) -> None:
        self.tell(Told("started", (specs, epochs, done)))

    def epoch(self, rows: Rows) -> None:
        self.tell(Told("epoch", (rows,)))

    def finished(self, spec: RunSpec, result: Mapping[str, Any]) -> None:
        self.tell(Told("finished", (spec, result)))

    def failed(self, spec: RunSpec, reason: str) -> None:
        self.tell(Told("failed", (spec, reason)))

    def filling(self, done: int, total: int) -> None:
        self.tell(Told("filling", (done, total)))

    def remarked(self, line: str) -> None:
        self.tell(Told("remarked", (line,)))

    def tell(self, message: Told | Ended) -> None:
        # Without a parent nobody listens; training notices by itself, and saves.
        with suppress(BrokenPipeError, ConnectionResetError):
            self._connection.send(message)
