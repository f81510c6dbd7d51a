"""The plan of teacher assistants: a chain of networks between a large teacher and a small student."""

from __future__ import annotations

from collections.abc import Iterator

from kdrun.errors import UserError
from kdrun.plans import Learner, Row
from kdrun.plans.specs import Specs
from kdrun.runs.spec import RunSpec


class Assistant:
    """Two rows: the teacher's own students, as in offline distillation, and those of the last assistant.

    Each assistant is trained as teachers are, but distilled, like the student, from the one before it.

    Source: Mirzadeh et al. 2020, arXiv:1902.03393. There every step has its own tau and alpha; here they are the same.
    """

    def rows(self, specs: Specs) -> Iterator[Row]:
        path = specs.config.mode["path"]
        if not path:
            raise UserError(
                "mode.path is empty; name the assistants, the largest first, such as mode.path=[mlp64,mlp30]"
            )
        if not specs.is_taught:
            raise UserError("mode=assistant with alpha=0: no network would learn from a teacher; type alpha above 0")
        teacher = last = specs.teacher()
        for number, model in enumerate(path, start=1):
            last = specs.assistant(model, last, number)
        yield _students(specs, teacher, "direct")
        yield _students(specs, last, f"via {', '.join(model['name'] for model in path)}")


def _students(specs: Specs, teacher: RunSpec, variant: str) -> Row:
    seeds = specs.config.seeds
    learners = (Learner(seed, specs.student(seed, teacher), teacher, specs.baseline(seed)) for seed in seeds)
    return Row(tuple(learners), variant)
