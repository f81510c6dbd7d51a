"""`kdrun bench scaling`: what twice, four and eight times the points, the examples or the epochs cost."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from kdrun.bench.processes import KDRUN, timed, training_seconds

FACTORS = (1, 2, 4, 8)


@dataclass(frozen=True)
class Size:
    """What is grown. points: temperatures. examples: of the students' training part. epochs: theirs."""

    points: int
    examples: int
    epochs: int

    def overrides(self) -> list[str]:
        taus = [f"tau={','.join(str(tau) for tau in range(1, self.points + 1))}"]
        return [*taus, f"train_size={self.examples}", f"train.student.epochs={self.epochs}"]


@dataclass(frozen=True)
class Cost:
    """Of one sweep. students_s: seconds that its students trained. command_s: of the whole process."""

    axis: str
    factor: int
    students_s: float
    students_ratio: float
    command_s: float
    peak_bytes: float


def bench_scaling(
    settings: Sequence[str], smallest: Size, *, rounds: int, told: Callable[[str], None]
) -> dict[str, Any]:
    """Runs `kdrun sweep` with settings at each size in turns; medians over rounds.

    settings: overrides and options; they leave open what is grown. smallest: the sizes at factor 1.
    """
    taken: dict[tuple[str, int], list[tuple[float, float, float]]] = {}
    for number in range(rounds):
        for axis, factor, size in _sizes(smallest):
            taken.setdefault((axis, factor), []).append(_swept([*settings, *size.overrides()]))
            told(f"round {number + 1} of {rounds}: {factor} x {axis}")
    medians = {
        place: [statistics.median(column) for column in zip(*rows, strict=True)] for place, rows in taken.items()
    }
    costs = [
        Cost(axis, factor, students, students / medians[axis, 1][0], command, peak)
        for (axis, factor), (students, command, peak) in medians.items()
    ]
    return {
        "bench": "scaling",
        "rounds": rounds,
        "settings": list(settings),
        "smallest": asdict(smallest),
        "runs": [asdict(cost) for cost in costs],
    }


def _sizes(smallest: Size) -> Iterator[tuple[str, int, Size]]:
    for axis in asdict(smallest):
        for factor in FACTORS:
            yield axis, factor, Size(**(asdict(smallest) | {axis: factor * getattr(smallest, axis)}))


def _swept(arguments: Sequence[str]) -> tuple[float, float, float]:
    """Seconds that students trained, seconds of the command, and the process's peak memory in bytes."""
    with TemporaryDirectory(prefix="kdrun-bench-") as folder:
        outputs = Path(folder) / "outputs"
        ended = timed([*KDRUN, "sweep", *arguments, f"outputs={outputs}", "--quiet"])
        return training_seconds(outputs, "student"), ended.seconds, ended.peak_bytes
