"""Plans: which runs a command needs, without repeats, each after its parents."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from kdrun.runs.spec import RunSpec

Role = Literal["teacher", "baseline", "control", "student"]


@dataclass(frozen=True)
class PointLabels:
    """What a row of a table says of one point of a sweep."""

    dataset: str
    teacher: str
    student: str
    knowledge: str
    mode: str
    tau: float | None  # None where no term has one, or they differ
    alpha: float
    overrides: str


@dataclass(frozen=True)
class Use:
    """One run in one role at one point; a run may be used at many points, in any role."""

    point: int
    role: Role
    control: str
    seed: int
    spec: RunSpec


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


__all__ = ["Plan", "PointLabels", "Role", "Use"]
