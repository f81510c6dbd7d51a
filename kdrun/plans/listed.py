"""Teachers that a configuration lists: networks to train, and runs that are finished."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from difflib import get_close_matches
from itertools import chain
from pathlib import Path
from typing import Any

from kdrun.config import files
from kdrun.config.explain import shown
from kdrun.errors import UserError
from kdrun.runs.finding import named, recalled
from kdrun.runs.identity import identity_of, text
from kdrun.runs.spec import RunSpec
from kdrun.runs.store import Store
from kdrun.runs.trust import Trust

# What of a network leaves its initial weights as they are.
_NOT_INITIAL = ("name", "dropout", "input_dropout", "max_norm")


def finished_run(name: str, outputs: Path, dataset: Mapping[str, Any], trust: Trust) -> RunSpec:
    """The finished run with this id, or the only one whose id or fingerprint begins so.

    dataset: what the run must have been trained and tested on, as the description of a data set.
    trust: what its description may name.
    Raises UserError where there is no such run, and for one of other data: it may have seen what is tested on here.
    """
    store = Store(outputs)
    try:
        spec = recalled(store, named(store, name), trust)
    except UserError as error:
        near = get_close_matches(name, files.groups()["teacher"], n=1)
        hint = f", or did you mean the network {near[0]}?" if near else ""
        raise UserError(f"teachers: {error.message}{hint}") from None
    differing = list(_differences(spec.dataset, dataset))
    if differing:
        raise UserError(
            f"teachers: {spec.run_id} is of other data ({'; '.join(differing)}), so it may have seen test images; "
            "name a run of this data set and split"
        )
    return _with_dataset(spec, dataset)


def _with_dataset(spec: RunSpec, dataset: Mapping[str, Any]) -> RunSpec:
    """The same run, its parents included, with its data where they are now."""

    def moved(parent: RunSpec | None) -> RunSpec | None:
        return None if parent is None else _with_dataset(parent, dataset)

    made_of = tuple(_with_dataset(one, dataset) for one in spec.made_of)
    here = spec.dataset if list(_differences(spec.dataset, dataset)) else dataset
    return replace(
        spec, dataset=here, made_of=made_of, teacher=moved(spec.teacher), starts_from=moved(spec.starts_from)
    )


def check_distinct(members: Sequence[RunSpec]) -> None:
    """Raises UserError for a run that is listed twice."""
    for number, member in enumerate(members):
        if member in members[:number]:
            raise UserError(
                f"teachers names {member.run_id} twice; name each once (teacher.members=2 has two of one network)"
            )


def check_beginnings(teachers: Sequence[RunSpec], students: Sequence[RunSpec]) -> None:
    """Raises UserError for a teacher with a network that began as a student's does: it would gain from that alone.

    teachers: finished runs. What was trained as a teacher passes: teachers and students have seeds of their own.
    """
    taught = {_beginning(one.model, one.seed): one for one in students if one.calls_teacher}
    for teacher in teachers:
        for beginning in _beginnings(teacher):
            if student := taught.get(beginning):
                raise UserError(
                    f"teachers: {teacher.run_id} would teach a network that begins as it did "
                    f"({student.model['name']}, seed {student.seed}); type seeds=[...] without {student.seed}, "
                    "or name a run of another seed or network"
                )


def _beginnings(run: RunSpec) -> Iterator[str]:
    """How the networks of the student side begin that a run is made of, or is."""
    if run.starts_from is not None:
        yield from _beginnings(run.starts_from)
    elif run.made_of:
        # Of networks that are trained in one run the first begins as it would alone; the others draw after it.
        parts = run.made_of if run.model.get("peer", 1) == 1 else ()
        yield from chain.from_iterable(map(_beginnings, parts))
    elif run.kind != "teacher":
        yield _beginning(run.model["members"][0] if "members" in run.model else run.model, run.seed)


def _beginning(model: Mapping[str, Any], seed: int) -> str:
    architecture = {key: value for key, value in model.items() if key not in _NOT_INITIAL}
    return text([identity_of("model", architecture), seed])


def _differences(theirs: Mapping[str, Any], ours: Mapping[str, Any]) -> Iterator[str]:
    """`dataset.split_seed is 1, here 0`: wherever their identities differ."""
    theirs, ours = (identity_of("dataset", one) for one in (theirs, ours))
    for key in dict.fromkeys([*theirs, *ours]):
        if text(theirs.get(key)) != text(ours.get(key)):
            yield f"dataset.{key} is {shown(theirs.get(key))}, here {shown(ours.get(key))}"
