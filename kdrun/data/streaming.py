"""Images that do not fit where networks are trained: brought there batch by batch, decoded by processes."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from math import prod
from multiprocessing import active_children, forkserver, parent_process
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from multiprocessing.util import Finalize
from threading import Thread
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader

from kdrun.data import Undecoded
from kdrun.errors import UserError
from kdrun.interrupts import ignored_by_children
from kdrun.machine import cpus

# What all processes together hold ready. Tensors travel in shared memory, of which a container often has 64 MiB.
READY_BYTES = 2**25
_JOBS_A_PROCESS = 2
_LAST_JOBS_S = 5.0  # between a wish to end and the end

# A fork of this process would share torch's threads and a GPU's context, and a process started afresh imports torch,
# which takes seconds. On Linux a server without threads imports it once, and forks the processes that decode. Apple's
# libraries stand no fork, whoever makes it.
_METHOD = "forkserver" if sys.platform == "linux" else "spawn"


class Loader:
    """Brings images to a device in any order.

    Its processes start when they are first needed, stay for all that is asked afterwards, and end with it.

    processes: how many decode, at most one for each CPU; 0 for none beside this one.
    """

    def __init__(self, device: torch.device, processes: int) -> None:
        self._device = device
        self._processes = min(processes, cpus())
        self._idle: list[_Crew] = []

    def batches(self, images: Tensor | Undecoded, order: Tensor, batch_size: int) -> Iterator[Tensor]:
        """Images (B, C, H, W) uint8 on the device, in an order, so many at a time; the last may be fewer.

        images, order: on the CPU.
        Raises UserError naming an image that is damaged, and where a process was killed.
        """
        # Who asks before another has got everything is given processes of its own.
        crew = self._idle.pop() if self._idle else _Crew(self._device, self._processes)
        most = self._most_in_a_job(images)
        jobs = [torch.split(rows, most) for rows in torch.split(order, batch_size)]
        try:
            decoded = crew.decode(images[rows] for batch in jobs for rows in batch)
            for batch in jobs:
                pieces = [next(decoded).to(self._device, non_blocking=True) for _ in batch]
                yield pieces[0] if len(pieces) == 1 else torch.cat(pieces)
        except GeneratorExit:  # the rest is not wanted
            self._idle.append(crew)
            raise
        self._idle.append(crew)

    def _most_in_a_job(self, images: Tensor | Undecoded) -> int:
        jobs = _JOBS_A_PROCESS * max(1, self._processes)
        return max(1, READY_BYTES // (jobs * prod(images.shape[1:])))


class _Crew:
    """A DataLoader whose indices are images themselves: its processes hold no data set, and serve any."""

    def __init__(self, device: torch.device, processes: int) -> None:
        self._jobs = _Jobs()
        several: dict[str, Any] = {
            "multiprocessing_context": _METHOD,
            "prefetch_factor": _JOBS_A_PROCESS,
            "persistent_workers": True,
            "worker_init_fn": _follow_parent,
        }
        self._loader: DataLoader[Tensor | str] = DataLoader(
            _Decoder(threads=1 if processes else cpus()),  # type: ignore[arg-type]
            batch_size=None,
            sampler=self._jobs,
            num_workers=processes,
            pin_memory=device.type == "cuda",
            generator=torch.Generator(),  # it draws a number, which must not come from the global one
            **(several if processes else {}),
        )

    def decode(self, jobs: Iterable[Tensor | Undecoded]) -> Iterator[Tensor]:
        """The pixels of each job's images, in order, on the CPU."""
        self._jobs.now = jobs
        try:
            for decoded in self._begun():
                if isinstance(decoded, str):
                    raise UserError(decoded)
                yield decoded
        except RuntimeError as error:
            if "DataLoader worker" not in str(error):
                raise
            raise UserError(
                "a process that decodes images was killed, perhaps for want of memory or of shared memory; "
                "the same command goes on from the last saved state; try loader_workers=0"
            ) from error

    def _begun(self) -> Iterator[Tensor | str]:
        if not self._loader.num_workers:
            return iter(self._loader)
        others = set(active_children())
        begun = self._begun_by_processes()
        if started := set(active_children()) - others:
            # Also where an error's traceback holds on to this object until the end, which would then wait for them.
            Finalize(self, _kill, (started,), exitpriority=1)
        return begun

    def _begun_by_processes(self) -> Iterator[Tensor | str]:
        with ignored_by_children(signal.SIGINT, signal.SIGTERM):  # only this process decides when they end
            if _METHOD == "spawn":
                return iter(self._loader)
            forkserver.set_forkserver_preload([__name__, "PIL.Image"])
            forkserver.ensure_running()
        # What the server forks is as deaf as it is. Waiting for it takes seconds, in which Ctrl-C must not be lost.
        return iter(self._loader)


def _kill(processes: Iterable[BaseProcess]) -> None:
    for process in processes:
        process.kill()


class _Jobs:
    """What a DataLoader gives to its processes: whatever is set when it is iterated over."""

    now: Iterable[Tensor | Undecoded] = ()

    def __iter__(self) -> Iterator[Tensor | Undecoded]:
        return iter(self.now)


class _Decoder:
    """A DataLoader's data set. An error comes as its message: raised, it would come with a traceback in its text."""

    def __init__(self, threads: int) -> None:
        self._threads = threads

    def __getitem__(self, images: Tensor | Undecoded) -> Tensor | str:
        try:
            return images if isinstance(images, Tensor) else images.decoded(threads=self._threads)
        except UserError as error:
            return error.message


def _follow_parent(_number: int) -> None:
    """Ends this process with the one that started it, however that ends, and hardly before.

    A signal that was meant for all of them (Ctrl-C, a system that shuts down) leaves the other the time to finish its
    step with what it asked for, and to save.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda _number, _frame: _end_after(lambda: time.sleep(_LAST_JOBS_S)))
    parent = parent_process()
    if parent is not None:
        # DataLoader's own look at the parent's number sees the server, which lives as long as this process does.
        _end_after(lambda: wait([parent.sentinel]))


def _end_after(happened: Callable[[], object]) -> None:
    """Ends this process when `happened` returns; does not wait for it."""

    def end() -> None:
        happened()
        os._exit(1)

    Thread(target=end, daemon=True).start()
