"""A worker process: trains the groups of runs that it is given, and tells of their progress.

Light to import: the process answers signals from its first moment, and torch comes after that.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from kdrun.data import Room
from kdrun.errors import UserError
from kdrun.experiment.several import Call, Relay
from kdrun.runs.spec import RunSpec
from kdrun.training.compiling import Compiling

if TYPE_CHECKING:
    from kdrun.experiment.caching import Caching


DEVICE_LOST = 3  # the exit code of a worker whose device cannot be used any more


class Job(NamedTuple):
    """What a worker needs for all its groups.

    specs: the runs of the plan; a group is given as their numbers.
    threads: torch's. parent: the process to work for. caching: how teachers' signals reach the runs.
    """

    specs: tuple[RunSpec, ...]
    outputs: Path
    data_root: Path
    device: str
    room: Room
    compiling: Compiling
    threads: int
    state_every_s: float
    stack_up_to: int
    parent: int
    caching: Caching


class Ended(NamedTuple):
    """The end of a group: a line for each run that could not be finished, or the error that stopped all."""

    failures: dict[RunSpec, str]
    error: str | None


def work(job: Job, connection: Connection) -> None:
    """Trains groups until None comes instead of one; saves and ends when asked by SIGTERM or left alone.

    A run that fails is reported, and the worker goes on. It exits with DEVICE_LOST where every run after would fail.
    """
    asked: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _frame: asked.append(number))
    import torch

    from kdrun.executors.free import POLL_S, train_free
    from kdrun.experiment.lab import Lab
    from kdrun.experiment.train import Interrupted
    from kdrun.machine import is_device_lost
    from kdrun.runs.store import Store

    def send(message: Call | Ended) -> None:
        # Without a parent nobody listens; training notices by itself, and saves.
        with suppress(BrokenPipeError, ConnectionResetError):
            connection.send(message)

    def stop() -> bool:
        return bool(asked) or os.getppid() != job.parent

    def train(numbers: Sequence[int]) -> dict[RunSpec, str]:
        specs = [job.specs[number] for number in numbers]
        failures = train_free(
            specs, lab, relay, stop=stop, state_every_s=job.state_every_s, stack_up_to=job.stack_up_to
        )
        if failures is None:
            time.sleep(POLL_S)
        return failures or {}

    torch.set_num_threads(job.threads)
    lab = Lab(
        Store(job.outputs),
        torch.device(job.device),
        job.data_root,
        room=job.room,
        compiling=job.compiling,
        caching=job.caching,
    )
    relay = Relay(send)
    try:
        while (numbers := connection.recv()) is not None:
            send(Ended(train(numbers), None))
    except UserError as error:
        send(Ended({}, error.message))
    except (Interrupted, EOFError):
        return
    except Exception as error:
        if not is_device_lost(error):
            raise
        sys.exit(DEVICE_LOST)
