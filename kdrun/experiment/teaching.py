"""The teacher of runs that train side by side: asked live, or what it said before."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import NamedTuple

from kdrun.experiment.build import make
from kdrun.experiment.caching import Kind
from kdrun.experiment.kept import EpochFiles, Listener, table_of
from kdrun.experiment.lab import Lab
from kdrun.experiment.running import Running, finished_network
from kdrun.runs.spec import RunSpec
from kdrun.teachers import Teacher
from kdrun.teachers.network import NetworkTeacher
from kdrun.teachers.packing import layers_of, names_of
from kdrun.teachers.rounding import Rounded
from kdrun.teachers.schedule import ScheduleTeacher
from kdrun.teachers.table import TableTeacher
from kdrun.training.precision import autocast


class _Asked(NamedTuple):
    """Who asks what. spec: any of the runs. names: of the signals that any of them reads, see `teachers.packing`."""

    spec: RunSpec
    names: Sequence[str]
    lab: Lab
    listener: Listener
    heed: Callable[[], None]


@contextmanager
def teacher_of(
    runs: Sequence[Running], lab: Lab, listener: Listener, heed: Callable[[], None]
) -> Iterator[Teacher | None]:
    """The one teacher of all the runs that ask one, with every feature that any of them reads.

    runs: see `kdrun.experiment.train.train`. heed: called often; raises what ends the training.
    """
    asking = [run for run in runs if run.learner.mode.teacher_layers is not None]
    if not asking:
        yield None
        return
    spec, kind = asking[0].spec, asking[0].teacher_signals or "live"
    layers = dict.fromkeys(layer for run in asking for layer in run.learner.mode.teacher_layers or ())
    data = lab.data(spec.dataset)
    with _KINDS[kind](_Asked(spec, names_of(layers), lab, listener, heed)) as teacher:
        yield make(spec.targets, teacher, data.evaluate_on(data.training_part(spec))) if spec.targets else teacher


@contextmanager
def _live(asked: _Asked) -> Iterator[Teacher]:
    spec, lab = asked.spec, asked.lab
    if spec.teacher is None:
        raise TypeError(f"{spec.title} has no teacher to ask")
    layers = layers_of(asked.names)
    teacher = NetworkTeacher(finished_network(spec.teacher, lab), layers, autocast(lab.device, spec.precision))
    lab.compiling.apply(teacher)
    yield Rounded(teacher, spec.teacher_dtype)


@contextmanager
def _table(asked: _Asked) -> Iterator[Teacher]:
    spec, lab = asked.spec, asked.lab

    def live(names: Sequence[str]) -> AbstractContextManager[Teacher]:
        return _live(asked._replace(names=names))

    arrays = table_of(spec, asked.names, lab, live, asked.listener, asked.heed)
    yield TableTeacher(arrays, lab.data(spec.dataset).training_part(spec).ids)


@contextmanager
def _schedule(asked: _Asked) -> Iterator[Teacher]:
    spec, lab = asked.spec, asked.lab
    with _live(asked) as teacher:
        yield ScheduleTeacher(
            teacher,
            EpochFiles(spec, asked.names, lab, asked.listener),
            asked.names,
            steps_per_epoch=lab.data(spec.dataset).training_batches(spec).steps_per_epoch,
            dtype=spec.teacher_dtype,
        )


_KINDS: Mapping[Kind, Callable[[_Asked], AbstractContextManager[Teacher]]] = {
    "live": _live,
    "table": _table,
    "schedule": _schedule,
}
