"""Which runs may be paired, seed by seed, and why others may not."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from kdrun.metrics.paired import Gain, paired
from kdrun.reports import wording
from kdrun.reports.sides import Entry, Spec, Trained
from kdrun.runs.identity import identity_of

MOST_DIFFERENCES = 4  # of one kind are told; of more, the rest is counted
NOTHING = "nothing"


@dataclass(frozen=True)
class Pairing:
    """An entry against another one. refusals: reasons why no pair can be formed; the gain then rests on none."""

    gain: Gain
    refusals: tuple[str, ...]


def pairing(ours: Entry, theirs: Entry) -> Pairing:
    """Ours minus theirs, over the seeds that both have finished; refused where the two are not comparable.

    Comparable: the same data and split, test examples, training examples, network, budget (recipe and precision), and
    batches. Machines, versions, teachers and what is learned from them may differ.
    """
    refusals = tuple(_refusals(ours, theirs))
    pairs = [] if refusals else _pairs(ours, theirs)
    return Pairing(paired([mine.accuracy - other.accuracy for mine, other in pairs]), refusals)


def _pairs(ours: Entry, theirs: Entry) -> list[tuple[Trained, Trained]]:
    by_seed = {run.seed: run for run in theirs.runs}
    return [(run, by_seed[run.seed]) for run in ours.runs if run.seed in by_seed]


def _refusals(ours: Entry, theirs: Entry) -> Iterator[str]:
    if not ours.runs or not theirs.runs:
        yield "no finished run on one side"
        return
    if {run.run_id for run in ours.runs} == {run.run_id for run in theirs.runs}:
        yield "the same runs"
        return
    mine, other = ours.runs[0], theirs.runs[0]
    if not mine.spec or not other.spec:
        yield "the report of one side does not say what its runs are: make it again with the command that made it"
        return
    yield from _told("data", mine.spec, other.spec, "dataset")
    for name, left, right in (
        ("test examples", mine.test_examples, other.test_examples),
        ("training examples", mine.train_examples, other.train_examples),
    ):
        if not (left == right or (math.isnan(left) and math.isnan(right))):
            yield f"{name} {left:,.10g} against {right:,.10g}"
    yield from _told("examples", mine.spec, other.spec, "examples")
    yield from _told("network", mine.spec, other.spec, "model")
    yield from _told("budget", mine.spec, other.spec, "recipe", "precision")
    yield from _told("kdrun's results", mine.spec, other.spec, "semantics")
    yield from _code(mine.spec, other.spec)
    yield from _seeds(ours, theirs)


def _told(what: str, ours: Spec, theirs: Spec, *keys: str) -> Iterator[str]:
    left, right = (flat({key: identity_of(key, spec.get(key)) for key in keys}) for spec in (ours, theirs))
    differing = [key for key in dict.fromkeys([*left, *right]) if left.get(key, NOTHING) != right.get(key, NOTHING)]
    named = f"{keys[0]}.name"
    if named in differing:  # says it all
        differing = [named]
    parts = [
        f"{key.partition('.')[2] or key} {_value(left, key)} against {_value(right, key)}"
        for key in differing[:MOST_DIFFERENCES]
    ]
    if len(differing) > MOST_DIFFERENCES:
        parts.append(f"{len(differing) - MOST_DIFFERENCES} more")
    if parts:
        yield f"{what}: {', '.join(parts)}"


def _code(ours: Spec, theirs: Spec) -> Iterator[str]:
    """Users' own classes of data, network and recipe; those of what is learned may differ."""
    described = flat({key: ours.get(key) for key in ("dataset", "model", "recipe")})
    modules = {text.rpartition(".")[0] for key, text in described.items() if key.endswith("_target_")}
    left, right = (
        {name: text for name, text in spec.get("code", {}).items() if name in modules} for spec in (ours, theirs)
    )
    yield from _told("code", {"files": left}, {"files": right}, "files")


def _seeds(ours: Entry, theirs: Entry) -> Iterator[str]:
    pairs = _pairs(ours, theirs)
    if not pairs:
        left, right = (", ".join(str(run.seed) for run in entry.runs) for entry in (ours, theirs))
        yield f"seeds: {left} against {right}"
    for mine, other in pairs:
        left, right = (str(run.spec.get("data_seed")) for run in (mine, other))
        if left != right:
            yield f"data_seed: {left} against {right} at seed {mine.seed}"
            return


def flat(described: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """A description with dotted keys, its values as JSON."""
    texts: dict[str, str] = {}
    for key, value in described.items():
        if isinstance(value, Mapping):
            texts |= flat(value, f"{prefix}{key}.")
        else:
            texts[f"{prefix}{key}"] = value if isinstance(value, str) else json.dumps(value)
    return texts


def _value(texts: Mapping[str, str], key: str) -> str:
    text = wording.plain(texts.get(key, NOTHING))
    return text if len(text) <= 40 else text[:12] + "..."
