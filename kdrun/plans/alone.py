"""The plan of students that nobody else teaches."""

from __future__ import annotations

from collections.abc import Iterator

from kdrun.plans import Learner, Row
from kdrun.plans.specs import Specs


class Alone:
    """One row: students without a teacher's run."""

    def rows(self, specs: Specs) -> Iterator[Row]:
        seeds = specs.config.seeds
        yield Row(tuple(Learner(seed, specs.student(seed, None), None, specs.baseline(seed)) for seed in seeds))
