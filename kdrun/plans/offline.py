"""The plan of offline distillation: teachers, and for each of them and each seed a student."""

from __future__ import annotations

from collections.abc import Iterator

from kdrun.plans import Learner, Row
from kdrun.plans.specs import Specs


class Offline:
    """One row: the students of the one teacher; with specialists, beside those of it without them."""

    def rows(self, specs: Specs) -> Iterator[Row]:
        for variant, teacher in specs.teachers().items():
            taught = ((seed, specs.student(seed, teacher)) for seed in specs.config.seeds)
            yield Row(tuple(Learner(seed, run, teacher, specs.baseline(seed)) for seed, run in taught), variant)
