"""What a run is: a frozen, complete description, and the fingerprint that is its identity."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from typing import Any, Literal

from kdrun.runs.code import digests, with_contents

Kind = Literal["teacher", "baseline", "control", "student"]

# Raised when a change of the code changes what a run computes, so that older results are not taken for new ones.
SEMANTICS = 3


@dataclass(frozen=True, eq=False)
class RunSpec:
    """One network for one seed, and how it comes about. What cannot change it is not part of it.

    Most networks are trained. One that is put together from its parents' networks (an ensemble, one of several peers)
    has a recipe of 0 epochs; its model says `from_parents: true`, as that of a network that begins as theirs does.
    Unless what stands after `precision` is given, nobody teaches it.

    kind: the role it is trained for.
    seed: initialisation and dropout; data_seed: batch order and augmentation.
    dataset: name, source, normalisation and split, and the identity of the content.
    train_size: the first so many examples of the training part; None: all.
    model, recipe: as composed.
    precision: fp32, bf16 or fp16; never auto, which means different things on different machines.
    alpha: weight of the teacher's side; terms: knowledge by name, as composed (empty without a teacher's side).
    mode: who teaches whom, as composed; None where nobody does.
    targets: what stands for the teacher, as composed: a substitute made from its signals; empty for themselves.
    teacher_dtype: what the teacher says is rounded to fp32 or fp16; fp32 without a teacher.
    parents: the runs that must be finished first: the teacher, or those whose networks this one is made of.
    examples: which examples it is shown, and with what; empty: the first `train_size`, with their labels.
        See `kdrun.data.shown`.
    schedules: what of alpha and tau changes over the epochs, as composed; the values above are those of the last one.
    """

    kind: Kind
    seed: int
    data_seed: int
    dataset: Mapping[str, Any]
    train_size: int | None
    model: Mapping[str, Any]
    recipe: Mapping[str, Any]
    precision: str
    alpha: float = 0.0
    terms: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    mode: Mapping[str, Any] | None = None
    targets: Mapping[str, Any] = field(default_factory=dict)
    teacher_dtype: str = "fp32"
    parents: tuple[RunSpec, ...] = ()
    examples: Mapping[str, Any] = field(default_factory=dict)
    schedules: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @cached_property
    def fingerprint(self) -> str:
        """12 hexadecimal digits of the SHA-256 of the canonical description, files by their content."""
        text = json.dumps(with_contents(self.description()), sort_keys=True, separators=(",", ":"), allow_nan=False)
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    @property
    def run_id(self) -> str:
        """The name of the run's folder: kind, model, data set, fingerprint."""
        return f"{self.kind}-{self.model['name']}-{self.dataset['name']}-{self.fingerprint}"

    @property
    def tau(self) -> float | None:
        """The temperature of its terms; None where none has one, or they differ."""
        taus = {float(term["tau"]) for term in self.terms.values() if "tau" in term}
        return taus.pop() if len(taus) == 1 else None

    @property
    def is_trained(self) -> bool:
        """Whether there is anything to train."""
        return bool(self.recipe["epochs"])

    @property
    def teacher(self) -> RunSpec | None:
        """The run whose network is asked while this one is trained; an ensemble is one run."""
        return self.parents[0] if self.parents and self.terms else None

    @property
    def title(self) -> str:
        """A short line for people: `student mlp64 of mlp300, kd, tau 4, alpha 0.7, seed 1`."""
        parts = [" of ".join([f"{self.kind} {self.model['name']}", *self._teachers_name()])]
        if self.mode and not self.parents:  # it is its mode that teaches
            parts.append(self.mode["name"])
        if self.terms:
            numbers = {"tau": self.tau, "alpha": self.alpha}
            parts += ["+".join(self.terms), *(self._told(key, end) for key, end in numbers.items() if end is not None)]
        for key, told in (("omit", "omit"), ("transfer", "transfer"), ("as_long_as", "as many steps as transfer")):
            value = self.examples.get(key, "")
            parts += [f"{told} {value if isinstance(value, str) else '+'.join(value)}"] if value else []
        return ", ".join([*parts, *self._made_how(), f"seed {self.seed}"])

    def _teachers_name(self) -> list[str]:
        return [self.teacher.model["name"]] if self.teacher else []

    def _made_how(self) -> list[str]:
        """Of a run that trains nothing, the numbers that its network is told: `tau 4`; else what it is: `offset`."""
        told = {} if self.is_trained else self.model
        numbers = {key: value for key, value in told.items() if isinstance(value, int | float)}
        named = [f"{key} {value:g}" for key, value in numbers.items() if key != "from_parents"]
        return named or [one["_target_"].rpartition(".")[2].lower() for one in [told] if one]

    def _told(self, key: str, end: float) -> str:
        """`tau 4`, `alpha 0.7 (linear from 0)`."""
        schedule = self.schedules.get(key)
        return f"{key} {end:g}" + (f" ({schedule['name']} from {schedule['start']:g})" if schedule else "")

    @property
    def baseline(self) -> RunSpec:
        """The same network, recipe, seeds and data on labels alone: what the run is compared with."""
        return self.untaught(kind="baseline", examples=without_teacher(self.examples))

    def untaught(self, **changes: Any) -> RunSpec:
        """The same without anyone's teaching, then changed."""
        alone = replace(
            self,
            alpha=0.0,
            terms={},
            mode=None,
            targets={},
            teacher_dtype="fp32",
            parents=(),
            schedules={},
        )
        return replace(alone, **changes)

    def description(self) -> dict[str, Any]:
        """Everything that identifies the run, as plain JSON types; parents by their fingerprints."""
        fields = asdict(replace(self, parents=())) | {"parents": [parent.fingerprint for parent in self.parents]}
        code = digests(fields)
        return {"semantics": SEMANTICS} | fields | ({"code": code} if code else {})

    def __hash__(self) -> int:
        return hash(self.fingerprint)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RunSpec) and self.fingerprint == other.fingerprint


def without_teacher(examples: Mapping[str, Any]) -> dict[str, Any]:
    """What a run without a teacher is shown: what has labels, in epochs as long as those of a run that has one."""
    return {"as_long_as" if key == "transfer" else key: value for key, value in examples.items()}
