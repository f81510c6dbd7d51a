"""Plans: which runs a command needs, without repeats, each after its parents."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from kdrun.runs.spec import RunSpec

Role = Literal["teacher", "baseline", "control", "student"]


@dataclass(frozen=True)
class PointLabels:
    """What a row of a table says of its students.

    teacher: empty where nobody teaches them. variant: which of several rows of one point of a sweep this is.
    """

    dataset: str
    teacher: str
    student: str
    knowledge: str
    mode: str
    tau: float | None  # None where no term has one, or they differ
    alpha: float | None  # None where no term is mixed
    label_weight: float  # of the last epoch
    overrides: str
    variant: str
    tau_schedule: str  # such as `linear from 1`; empty for a constant
    alpha_schedule: str


@dataclass(frozen=True)
class Use:
    """One run in one role at one point; a run may be used at many points, in any role.

    teacher: whose answers and costs its own are set beside; None for teachers, and where there is none.
    """

    point: int
    role: Role
    control: str
    seed: int
    spec: RunSpec
    teacher: RunSpec | None


@dataclass(frozen=True)
class Learner:
    """A run of a row. seed: with whose baseline it is paired. teacher, baseline: what it is set beside.

    substituted: of whose signals its controls' targets are made; None: of its teacher's.
    """

    seed: int
    run: RunSpec
    teacher: RunSpec | None
    baseline: RunSpec
    substituted: RunSpec | None = None


@dataclass(frozen=True)
class Row:
    """Runs that make one row of a table, one for each seed.

    variant: tells it from a point's other rows. teachers: what its teachers are called; empty: as their networks.
    """

    learners: tuple[Learner, ...]
    variant: str = ""
    teachers: str = ""


class Way(Protocol):
    """A way of teaching: the rows that a mode has at one point (`plan` in a file of conf/mode)."""

    def rows(self, specs: Any) -> Iterable[Row]:
        """specs: the point's `kdrun.plans.specs.Specs`. Raises UserError for what a mode cannot do."""
        ...


@dataclass(frozen=True)
class Plan:
    """Every use of a run that a command's table needs."""

    points: tuple[PointLabels, ...]
    uses: tuple[Use, ...]

    @property
    def runs(self) -> list[RunSpec]:
        """The runs without repeats, parents first."""
        ordered: dict[RunSpec, None] = {}
        for use in self.uses:
            _add(use.spec, ordered)
        return list(ordered)


def _add(spec: RunSpec, ordered: dict[RunSpec, None]) -> None:
    for parent in spec.parents:
        _add(parent, ordered)
    ordered.setdefault(spec)


__all__ = ["Learner", "Plan", "PointLabels", "Role", "Row", "Use", "Way"]
