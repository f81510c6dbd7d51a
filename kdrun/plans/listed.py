"""Teachers that a configuration lists: networks to train, and runs that are finished."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from kdrun.config import files
from kdrun.config.explain import shown
from kdrun.errors import UserError
from kdrun.runs.finding import named, recalled
from kdrun.runs.spec import RunSpec
from kdrun.runs.store import Store
from kdrun.runs.trust import Trust


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
    return spec


def check_distinct(members: Sequence[RunSpec]) -> None:
    """Raises UserError for a run that is listed twice."""
    for number, member in enumerate(members):
        if member in members[:number]:
            raise UserError(
                f"teachers names {member.run_id} twice; name each once (teacher.members=2 has two of one network)"
            )


def _differences(theirs: Mapping[str, Any], ours: Mapping[str, Any]) -> Iterator[str]:
    """`dataset.split_seed is 1, here 0`."""
    for key in dict.fromkeys([*theirs, *ours]):
        there, here = (json.dumps(one.get(key), sort_keys=True, default=str) for one in (theirs, ours))
        if there != here:
            yield f"dataset.{key} is {shown(theirs.get(key))}, here {shown(ours.get(key))}"
