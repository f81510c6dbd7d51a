"""The plans of online distillation: for each seed a cohort, one run that trains its networks side by side."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from kdrun.config.loss_weights import has_mixed
from kdrun.errors import UserError
from kdrun.plans import Learner, Row
from kdrun.plans.assembled import assembled, joined
from kdrun.plans.specs import Specs
from kdrun.runs.spec import RunSpec

Model = Mapping[str, Any]


class Mutual:
    """Students that teach each other: a row for each of them, and one for the mean of their logits."""

    def rows(self, specs: Specs) -> Iterator[Row]:
        specs.check_no_crowd()
        config = specs.config
        if not specs.weights.reads_labels(specs.alpha_start):
            raise UserError(
                f"mode={config.mode['name']}: no network would see a label, because their weight is 0; "
                f"type {'alpha=0.5' if has_mixed(specs.config.knowledge) else 'label_weight=1'}"
            )
        models = [config.student, *(config.mode["peers"] or [config.student])]
        everyone = range(len(models))
        hears = [[other for other in everyone if other != one] for one in everyone]
        cohorts = {seed: _cohort(specs, seed, models, hears) for seed in config.seeds}
        for number, model in enumerate(models, start=1):
            alone = specs.with_student(model)
            yield Row(
                tuple(
                    Learner(seed, _peer(cohort, number), None, alone.baseline(seed)) for seed, cohort in cohorts.items()
                ),
                f"peer {number}",
            )
        yield Row(
            tuple(Learner(seed, cohort, None, specs.baseline(seed)) for seed, cohort in cohorts.items()),
            "peers' ensemble",
        )


class CoTrained:
    """A teacher that is trained from labels at the same time as the student that it teaches: one row."""

    def rows(self, specs: Specs) -> Iterator[Row]:
        config = specs.config
        specs.check_no_crowd()
        models = [config.student, specs.teacher_model()]
        learners = []
        for seed in config.seeds:
            cohort = _cohort(specs, seed, models, [[1], []])
            teacher = replace(_peer(cohort, 2), kind="teacher")
            learners.append(Learner(seed, _peer(cohort, 1), teacher, specs.baseline(seed)))
        yield Row(tuple(learners))


def _cohort(specs: Specs, seed: int, models: Sequence[Model], hears: Sequence[Sequence[int]]) -> RunSpec:
    """The run of a seed that trains all of them. hears: for each the places of those that it listens to."""
    return replace(
        specs.student(seed, None),
        kind="student",
        model={"name": joined([model["name"] for model in models]), "members": [dict(model) for model in models]},
        mode={**specs.config.mode["trains"], "hears": hears},
    )


def _peer(cohort: RunSpec, number: int) -> RunSpec:
    """The run of one network of a cohort, counted from 1: its own results, and its weights in a file of their own."""
    name = cohort.model["members"][number - 1]["name"]
    model = {"name": name, "_target_": "kdrun.models.cohort.member", "peer": number}
    return assembled(cohort, model, [cohort])
