"""The plan of students that nobody else teaches."""

from __future__ import annotations

from collections.abc import Iterator

from kdrun.plans import Learner, Row
from kdrun.plans.specs import Specs


class Alone:
    """One row, called as the mode: students without a teacher's run."""

    def rows(self, specs: Specs) -> Iterator[Row]:
        specs.check_no_crowd()
        config = specs.config
        taught = ((seed, specs.student(seed, None)) for seed in config.seeds)
        yield Row(tuple(Learner(seed, run, None, specs.baseline(seed)) for seed, run in taught), config.mode["name"])
