"""The plan of offline distillation: a teacher, and for each seed a student."""

from __future__ import annotations

from collections.abc import Iterator

from kdrun.plans import Learner, Row
from kdrun.plans.specs import Specs


class Offline:
    """One row: the students of the one teacher."""

    def rows(self, specs: Specs) -> Iterator[Row]:
        teacher = specs.teacher()
        seeds = specs.config.seeds
        yield Row(tuple(Learner(seed, specs.student(seed, teacher), teacher, specs.baseline(seed)) for seed in seeds))
