"""Runs that cannot be finished: a line and a file for each, and whose failure an error is."""

from __future__ import annotations

import math
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from kdrun.errors import UserError, UsersCodeError, where
from kdrun.experiment.several import ObserverError
from kdrun.machine import is_device_lost, is_out_of_memory
from kdrun.runs.folder import RunFolder
from kdrun.runs.spec import RunSpec
from kdrun.runs.store import Store, describe

if TYPE_CHECKING:
    from kdrun.experiment.train import Observer


class NotFinite(Exception):  # noqa: N818 - what was found; whether a run fails by it is not decided here
    """A number of a run is nan or infinite. advice: what to try, for a run that is trained."""

    def __init__(self, what: str, advice: str = "try a smaller learning rate") -> None:
        super().__init__(what)
        self.advice = advice


class Failures:
    """The runs of a group that could not be finished.

    lines: one for each of them. The traceback is kept in the run's folder, and the observer is called.
    """

    def __init__(self, store: Store, observer: Observer) -> None:
        self.lines: dict[RunSpec, str] = {}
        self._store, self._observer = store, observer

    @contextmanager
    def of(self, spec: RunSpec) -> Iterator[None]:
        """An error in this block is the failure of this run and is not raised.

        Raised are a UserError, which stops the command (but for what a user's own class raised), and what concerns all
        that train beside the run: no memory left, or a device that cannot be used any more.
        """
        try:
            yield
        except UsersCodeError as error:
            self.add(spec, error)
        except (UserError, ObserverError):
            raise
        except (Exception, SystemExit) as error:  # a library that a user's class calls may exit
            if is_out_of_memory(error) or is_device_lost(error):
                raise
            self.add(spec, error)

    def add(self, spec: RunSpec, error: BaseException) -> None:
        """Notes the error that ended a run, and resets what its code may have left changed for all others."""
        torch.set_grad_enabled(True)
        torch.set_default_dtype(torch.float32)
        folder = self._store.folder(spec)
        line = f"{spec.title}: {_reason(spec, folder, error)}"
        if not describe(folder):
            folder.start(spec, {})
        folder.note_failure("\n".join([line, "", *traceback.format_exception(error)]))
        self.lines[spec] = line
        self._observer.failed(spec, line)

    def spared(self, specs: Sequence[RunSpec]) -> list[RunSpec]:
        """Those that have not failed."""
        return [spec for spec in specs if spec not in self.lines]


def _reason(spec: RunSpec, folder: RunFolder, error: BaseException) -> str:
    if isinstance(error, NotFinite) and not spec.is_trained:
        return f"{error}; look at the runs that it is made of"
    if isinstance(error, NotFinite):
        kept = f"its last good state is in {folder.path}" if folder.is_started else "no state was saved yet"
        return f"{error}; stopped, {kept}; {error.advice}"
    traced = f"the traceback is in {folder.failure_path}"
    if is_out_of_memory(error):
        side = "teacher" if spec.kind == "teacher" else "student"
        smaller = f"train.{side}.batch_size={max(1, spec.recipe['batch_size'] // 2)}"
        fewer = "executor.max_group=1, executor.workers=1"
        return (
            f"out of memory; try a smaller batch ({smaller}) or fewer runs at once ({fewer}); {where(error)}; {traced}"
        )
    return f"{error.message if isinstance(error, UsersCodeError) else where(error)}; {traced}"


def check_finite(numbers: Mapping[str, Any], when: str) -> None:
    """Raises NotFinite naming those that are not. when: with a preposition."""
    if bad := [name for name, value in numbers.items() if isinstance(value, float) and not math.isfinite(value)]:
        raise NotFinite(f"{', '.join(bad)} {'is' if len(bad) == 1 else 'are'} not finite {when}")


def floating(network: nn.Module) -> dict[str, Tensor]:
    """The floating parameters and buffers of a network by name."""
    named = {**dict(network.named_parameters()), **dict(network.named_buffers())}
    return {name: value for name, value in named.items() if value.is_floating_point() or value.is_complex()}


@torch.no_grad()
def not_finite(tensors: Mapping[str, Tensor]) -> list[str]:
    """The names of those that hold a number which is not finite; the device is waited for once."""
    if not tensors:
        return []
    finite: list[bool] = torch.stack([value.isfinite().all() for value in tensors.values()]).tolist()
    return [name for name, good in zip(tensors, finite, strict=True) if not good]
