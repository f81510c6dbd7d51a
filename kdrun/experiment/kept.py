"""What teachers said, in the files of the cache: filled, read, and made again where it is damaged."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from itertools import chain
from typing import Protocol

import torch
from filelock import BaseFileLock, Timeout
from torch import Tensor

from kdrun.experiment.caching import about, folder_name, no_room, teacher_title
from kdrun.experiment.lab import Lab
from kdrun.runs.cache import Cache
from kdrun.runs.cache_folder import ABOUT, CacheFolder, Form
from kdrun.runs.spec import RunSpec
from kdrun.teachers import Teacher
from kdrun.teachers.packing import packed
from kdrun.teachers.rounding import DTYPES

POLL_S = 0.2  # how often to look whether another process has filled a table

Live = Callable[[Sequence[str]], AbstractContextManager[Teacher]]


class Listener(Protocol):
    """What of `kdrun.experiment.train.Observer` hears of the cache."""

    def filling(self, done: int, total: int) -> None: ...

    def remarked(self, line: str) -> None: ...


def table_of(
    spec: RunSpec, names: Sequence[str], lab: Lab, live: Live, listener: Listener, heed: Callable[[], None]
) -> dict[str, Tensor]:
    """Packed arrays (V, N, ...) of a run's table on the device; what is not there is filled first, by one process.

    names: of the signals. live: opens the teacher that gives those named. heed: called often; may raise.
    Raises UserError where it does not fit.
    """
    folder = Cache(lab.store.outputs).folder(folder_name("table", spec, lab.device.type))
    arrays, missing = folder.arrays(names)
    if missing:
        with _held(folder.lock(), heed):
            filled, missing = folder.arrays(missing)  # another process may have filled it meanwhile
            if missing:
                with live(missing) as teacher:
                    _fill(folder, spec, missing, lab, teacher, listener, heed)
                filled |= folder.arrays(missing)[0]
        arrays |= filled
    return {name: torch.from_numpy(array).to(lab.device) for name, array in arrays.items()}


@contextmanager
def _held(lock: BaseFileLock, heed: Callable[[], None]) -> Iterator[None]:
    while not lock.is_locked:
        heed()
        with suppress(Timeout):
            lock.acquire(timeout=POLL_S)
    try:
        yield
    finally:
        lock.release()


def _fill(
    folder: CacheFolder,
    spec: RunSpec,
    names: Sequence[str],
    lab: Lab,
    teacher: Teacher,
    listener: Listener,
    heed: Callable[[], None],
) -> None:
    _remark_damage(folder, names, None, listener)
    for name in names:  # what cannot be used takes no room
        folder.file(name).unlink(missing_ok=True)
    data = lab.data(spec.dataset)
    views, count = data.family(spec).count, len(data.training_part(spec))
    dtype, done = DTYPES[spec.teacher_dtype], 0
    said = (packed(teacher.signals(batch), names) for batch in data.every_view(spec))
    first = next(said)
    forms = {name: _form((views, count, *value.shape[1:]), dtype) for name, value in first.items()}
    needed, room = sum(form.nbytes for form in forms.values()), _room(lab)
    if needed > room:
        raise no_room("table", teacher_title(spec), needed, room, lab.caching.max_bytes)
    with folder.writing(about("table", spec, lab.device.type), forms) as append:
        for values in chain([first], said):
            append({name: value.to(dtype).cpu().numpy() for name, value in values.items()})
            done += len(next(iter(values.values())))
            listener.filling(done, views * count)
            heed()


class EpochFiles:
    """The epochs of a run's schedule (see `kdrun.teachers.schedule.Epochs`).

    names: of the signals. An epoch that does not fit, or that another process is writing, is not written.
    """

    def __init__(self, spec: RunSpec, names: Sequence[str], lab: Lab, listener: Listener) -> None:
        self._spec, self._names, self._lab, self._listener = spec, names, lab, listener
        self._folder = Cache(lab.store.outputs).folder(folder_name("schedule", spec, lab.device.type))

    def read(self, epoch: int) -> Mapping[str, Tensor] | None:
        arrays, missing = self._folder.arrays(self._names, epoch)
        _remark_damage(self._folder, missing, epoch, self._listener)
        if missing:
            return None
        return {name: torch.from_numpy(array).to(self._lab.device) for name, array in arrays.items()}

    def write(self, epoch: int, said: Mapping[str, Tensor]) -> None:
        new = {name: value for name, value in said.items() if self._folder.array(name, epoch) is None}
        forms = {name: _form(tuple(value.shape), value.dtype) for name, value in new.items()}
        if not new or sum(form.nbytes for form in forms.values()) > _room(self._lab):
            return
        try:
            with self._folder.lock().acquire(timeout=0):
                described = about("schedule", self._spec, self._lab.device.type)
                with self._folder.writing(described, forms, epoch) as append:
                    append({name: value.cpu().numpy() for name, value in new.items()})
        except Timeout:
            return


def _form(shape: tuple[int, ...], dtype: torch.dtype) -> Form:
    return Form(shape, str(dtype).removeprefix("torch."))


def _room(lab: Lab) -> int:
    return Cache(lab.store.outputs).room(lab.caching.max_bytes)


def _remark_damage(folder: CacheFolder, names: Sequence[str], epoch: int | None, listener: Listener) -> None:
    """names: of arrays that cannot be used. The files of some may be there all the same."""
    there = [path for name in names if (path := folder.file(name, epoch)).exists()]
    for path in [folder.path / ABOUT] if there and folder.about_is_damaged() else there:
        listener.remarked(f"{path} is damaged: the teacher is asked again")
