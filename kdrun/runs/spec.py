"""What a run is: a frozen, complete description, and the fingerprint that is its identity."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from typing import Any, Literal

from kdrun.runs.code import digests, with_contents
from kdrun.runs.identity import digest, identity
from kdrun.seeding import seed_of_side

Kind = Literal["teacher", "baseline", "control", "student"]

# Raised when a change of the code changes what a run computes, so that older results are not taken for new ones.
SEMANTICS = 4


@dataclass(frozen=True, eq=False)
class RunSpec:
    """One network for one seed, and how it comes about. What cannot change it is not part of its `identity`.

    Most networks are trained. One that is put together from others (an ensemble, one of several peers) has a recipe of
    0 epochs. Unless what stands after `precision` is given, nobody teaches it.
    A field that a later version adds has a default, and this default in `kdrun.runs.identity.NEUTRAL`.

    kind: the role it is trained for.
    seed, data_seed: as typed; what they mean differs between teachers and the others, see `network_seed`.
    dataset: as `kdrun.experiment.build.dataset_description`: name, source, normalisation and split, the identity of
        its content, and which values of the source only say where the files lie.
    train_size: the first so many examples of the training part; None: all, also where their number is typed.
    model, recipe: as composed.
    precision: fp32, bf16 or fp16; never auto, which means different things on different machines.
    alpha: weight of the mixed terms; None where none of the terms is mixed.
    label_weight: of the labels' cross-entropy; None: 1 - alpha, in every epoch.
    terms: knowledge by name, as composed; empty for labels alone.
    mode: who teaches whom, as composed; None where nobody does.
    targets: what stands for the teacher, as composed: a substitute made from its signals; empty for themselves.
    teacher_dtype: what the teacher says is rounded to fp32 or fp16; fp32 without a teacher.
    teacher: the run on whose network's outputs it is trained or, where it is put together, fitted (an offset). The
        head that SimKD takes over from the teacher is copied into the run's own weights and needs no other name. None
        where there are no terms, and where what teaches is trained in the run itself.
    starts_from: the run with whose weights it begins; None: with its seed's.
    made_of: the runs whose networks are part of its own.
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
    alpha: float | None = None
    label_weight: float | None = 1.0
    terms: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    mode: Mapping[str, Any] | None = None
    targets: Mapping[str, Any] = field(default_factory=dict)
    teacher_dtype: str = "fp32"
    teacher: RunSpec | None = None
    starts_from: RunSpec | None = None
    made_of: tuple[RunSpec, ...] = ()
    examples: Mapping[str, Any] = field(default_factory=dict)
    schedules: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @cached_property
    def identity(self) -> dict[str, Any]:
        """What of the description changes the result (see `kdrun.runs.identity`)."""
        return identity_in(self.description())

    @cached_property
    def fingerprint(self) -> str:
        """12 hexadecimal digits of the SHA-256 of the identity."""
        return digest(self.identity)

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
    def last_label_weight(self) -> float:
        """The weight of the labels' cross-entropy in the last epoch."""
        return 1 - (self.alpha or 0.0) if self.label_weight is None else self.label_weight

    @property
    def network_seed(self) -> int:
        """Seed of initialisation and dropout; no teacher has one of a baseline, control or student."""
        return seed_of_side(self.kind, self.seed)

    @property
    def order_seed(self) -> int:
        """Seed of the order of batches and of augmentation; no teacher has one of a baseline, control or student."""
        return seed_of_side(self.kind, self.data_seed)

    @property
    def is_trained(self) -> bool:
        """Whether there is anything to train."""
        return bool(self.recipe["epochs"])

    @property
    def calls_teacher(self) -> bool:
        """Whether the teacher's network is called while this one is trained."""
        return self.teacher is not None and self.is_trained

    @property
    def parents(self) -> tuple[RunSpec, ...]:
        """The runs that must be finished first, without repeats: made_of, starts_from, teacher."""
        single = [one for one in (self.starts_from, self.teacher) if one is not None]
        return tuple(dict.fromkeys([*self.made_of, *single]))

    @property
    def title(self) -> str:
        """A short line for people: `student mlp64 of mlp300, kd, tau 4, alpha 0.7, seed 1`."""
        parts = [" of ".join([f"{self.kind} {self.model['name']}", *self._teachers_name()])]
        if self.mode and not self.parents:  # it is its mode that teaches
            parts.append(self.mode["name"])
        if self.terms:
            numbers = {"tau": self.tau, "alpha": self.alpha}
            parts += ["+".join(self.terms), *(self._told(key, end) for key, end in numbers.items() if end is not None)]
            usual = None if self.alpha is not None else 1.0
            parts += [] if self.label_weight in (usual, None) else [f"labels {self.label_weight:g}"]
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
        named = [f"{key} {value:g}" for key, value in numbers.items()]
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
            alpha=None,
            label_weight=1.0,
            terms={},
            mode=None,
            targets={},
            teacher_dtype="fp32",
            teacher=None,
            schedules={},
        )
        return replace(alone, **changes)

    def description(self) -> dict[str, Any]:
        """What is needed to build the run again, as plain JSON types; parents by their fingerprints."""
        described = {one.name: _plain(getattr(self, one.name)) for one in fields(self)}
        code = digests(described)
        return {"semantics": SEMANTICS} | described | ({"code": code} if code else {})

    def __hash__(self) -> int:
        return hash(self.fingerprint)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RunSpec) and self.fingerprint == other.fingerprint


def identity_in(description: Mapping[str, Any]) -> dict[str, Any]:
    """The identity in a description, whose keys must be those of `RunSpec.description` alone."""
    return identity(with_contents(description))


def without_teacher(examples: Mapping[str, Any]) -> dict[str, Any]:
    """What a run without a teacher is shown: what has labels, in epochs as long as those of a run that has one."""
    return {"as_long_as" if key == "transfer" else key: value for key, value in examples.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, RunSpec):
        return value.fingerprint
    if isinstance(value, Mapping):
        return {key: _plain(one) for key, one in value.items()}
    return [_plain(one) for one in value] if isinstance(value, list | tuple) else value
