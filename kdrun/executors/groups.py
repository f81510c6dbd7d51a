"""Which runs can train side by side: those that see the same batches and ask the same teacher."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from kdrun.runs.identity import text
from kdrun.runs.spec import RunSpec


def groups(specs: Iterable[RunSpec], kind_of: Callable[[RunSpec], str | None]) -> list[list[RunSpec]]:
    """The runs in as few groups as their order allows, each run in the first one that it fits.

    kind_of: how a teacher's signals reach a run (see `kdrun.experiment.caching`).
    Initialisation, network, knowledge, alpha and the optimiser's numbers may differ within a group.
    """
    found: list[list[RunSpec]] = []
    for spec in specs:
        group = next((group for group in found if _fits(spec, group, kind_of)), None)
        if group is None:
            found.append([spec])
        else:
            group.append(spec)
    return found


def cut(group: Sequence[RunSpec], *, most: int, room: int, size_of: Callable[[RunSpec], int]) -> list[list[RunSpec]]:
    """A group in pieces of at most `most` runs whose sizes add up to at most `room`; a run too large stands alone."""
    pieces: list[list[RunSpec]] = []
    left = 0
    for spec in group:
        size = size_of(spec)
        if not pieces or len(pieces[-1]) == most or size > left:
            pieces.append([])
            left = room
        pieces[-1].append(spec)
        left -= size
    return pieces


def _fits(spec: RunSpec, group: Sequence[RunSpec], kind_of: Callable[[RunSpec], str | None]) -> bool:
    teachers = {(_teacher(one), kind_of(one)) for one in (spec, *group) if one.calls_teacher}
    return len(teachers) <= 1 and _stream(spec) == _stream(group[0])


def _teacher(spec: RunSpec) -> str:
    return text([spec.identity.get(key) for key in ("teacher", "targets", "teacher_dtype")])


def _stream(spec: RunSpec) -> str:
    """All that decides which batches a run sees, and in which precision a teacher would look at them."""
    recipe = [spec.identity["recipe"].get(key) for key in ("epochs", "batch_size", "augment")]
    data = [spec.identity.get(key) for key in ("dataset", "train_size", "examples")]
    return text([data, spec.order_seed, recipe, spec.precision])
