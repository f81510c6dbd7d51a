"""Finished runs found again: by name, or the latest; and what they are, from `spec.json`."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import MISSING, fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from kdrun.errors import UserError
from kdrun.runs.folder import DamagedFileError, RunFolder
from kdrun.runs.spec import RunSpec
from kdrun.runs.store import Store
from kdrun.runs.trust import Trust

DEEPEST = 100  # generations of parents
NOBODY = Trust()


def finished(store: Store, kinds: Collection[str]) -> list[RunFolder]:
    """The finished runs of these kinds, by name."""
    return [folder for folder in store.folders() if folder.is_finished and kind_of(folder) in kinds]


def latest(store: Store, kinds: Collection[str], fits: Callable[[RunSpec], bool], trust: Trust = NOBODY) -> RunSpec:
    """The run of these kinds that was finished last, of those that fit; runs of kdrun 0.1 are passed over.

    Raises UserError where there is none.
    """
    of_kind = sorted(finished(store, kinds), key=_finished_at, reverse=True)
    older = [folder for folder in of_kind if folder.is_of_0_1]
    for folder in of_kind:
        if folder not in older and fits(spec := recalled(store, folder, trust)):
            return spec
    if older:
        older[0].description()  # raises the line for a run of kdrun 0.1
    raise UserError(
        f"no finished {' or '.join(kinds)} to show under {store.outputs / 'runs'}; "
        "train one with `kdrun distill`, or name another folder with outputs=DIR"
    )


def named(store: Store, name: str) -> RunFolder:
    """The finished run with this id, or the only one whose id or fingerprint begins so.

    Raises UserError where none does, with near names; where several do; and where the run is not finished.
    """
    begun = {folder.path.name: folder for folder in store.folders()}
    found = [name] if name in begun else [one for one in begun if _begins(one, name)]
    if len(found) > 1:
        raise UserError(f"{name!r} is the beginning of {len(found)} runs ({_some(found)}); type more of it")
    if not found:
        beginnings = get_close_matches(name, {one[: len(name)] for one in begun}, n=2)
        near = [one for one in begun if one.startswith(tuple(beginnings))][:2]
        hint = f"did you mean {' or '.join(near)}?" if near else "`kdrun runs` lists what is there"
        raise UserError(f"no run {name!r} under {store.outputs / 'runs'}; {hint}")
    folder = begun[found[0]]
    if not folder.is_finished:
        raise UserError(f"run {found[0]} is not finished; type the command that began it again, and it goes on")
    return folder


def kind_of(folder: RunFolder) -> str:
    """teacher, baseline, control or student: with what a run's id begins."""
    return folder.path.name.partition("-")[0]


def recalled(
    store: Store, folder: RunFolder, trust: Trust = NOBODY, reached: dict[str, RunSpec | None] | None = None
) -> RunSpec:
    """What a finished run is, with its parents, which must be in the store too.

    trust: what its description may name beside kdrun's own. reached: runs by id that were read on the way to this one,
     None for those whose parents are being read.
    Raises UserError where `spec.json` is damaged, is of kdrun 0.1, names what is not trusted or no longer describes the
    run (another version of kdrun, or a user's class or file that has changed since), or a parent is missing.
    """
    path, name = folder.path / "spec.json", folder.path.name
    reached = {} if reached is None else reached
    if (known := reached.get(name)) is not None:
        return known
    _check_chain(path, name, reached)
    reached[name] = None
    try:
        described = folder.description()
        trust.check(described, path)
        parents = _parents(
            described, lambda role, one: recalled(store, _parent(store, role, folder, one), trust, reached)
        )
        spec = RunSpec(**_values(described) | parents)
        run_id = spec.run_id
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise DamagedFileError(path) from error
    if run_id != name:
        raise UserError(
            f"{path} describes another run than {name}: it is of another version of kdrun, "
            "or a class or file of your own has changed since; run the command that made it again"
        )
    reached[name] = spec
    return spec


def _values(described: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a spec; those that an earlier version did not know may be missing."""
    return {
        one.name: described[one.name]
        for one in fields(RunSpec)
        if one.name in described or (one.default is MISSING and one.default_factory is MISSING)
    }


def _parents(described: Mapping[str, Any], parent: Callable[[str, str], RunSpec]) -> dict[str, Any]:
    """The fields of a spec that are runs. parent: reads one, by its role in words and its fingerprint."""
    single = {"teacher": "the teacher of", "starts_from": "the start of"}
    found: dict[str, Any] = {
        name: parent(role, described[name]) for name, role in single.items() if described.get(name) is not None
    }
    return found | {"made_of": tuple(parent("a part of", one) for one in described.get("made_of", ()))}


def _check_chain(path: Path, name: str, reached: Mapping[str, RunSpec | None]) -> None:
    if name in reached:
        raise UserError(f"{path} describes a run that is its own parent; no run of kdrun is, remove its folder")
    if sum(spec is None for spec in reached.values()) >= DEEPEST:
        raise UserError(f"{path} is a parent of a parent, {DEEPEST} times over; no run of kdrun is, remove its folder")


def _parent(store: Store, role: str, child: RunFolder, fingerprint: str) -> RunFolder:
    for folder in store.folders():
        if folder.path.name.endswith(f"-{fingerprint}") and folder.is_finished:
            return folder
    raise UserError(
        f"{role} {child.path.name} (fingerprint {fingerprint}) is not under {child.path.parent}; "
        "run the command that made them again"
    )


def _finished_at(folder: RunFolder) -> int:
    return (folder.path / "result.json").stat().st_mtime_ns


def _begins(run_id: str, name: str) -> bool:
    return run_id.startswith(name) or run_id.rpartition("-")[2].startswith(name)


def _some(names: list[str]) -> str:
    return ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")
