"""Which runs of a group are computed as one."""

from __future__ import annotations

import json
from collections.abc import Sequence

from kdrun.experiment.running import Running
from kdrun.training.loop import Stepper
from kdrun.training.stack import Member, Stack, member


def steppers(runs: Sequence[Running], *, stack: bool) -> list[Stepper]:
    """Runs that train side by side, as the loop steps them: those of equal networks stacked where that can be.

    stack: false to have each take its steps by itself.
    """
    members = [member(run.learner) if stack else None for run in runs]
    alike: dict[str, list[Member]] = {}
    for run, one in zip(runs, members, strict=True):
        if one is not None:
            alike.setdefault(json.dumps(run.spec.model, sort_keys=True), []).append(one)
    stacks = [Stack(some) for some in alike.values() if len(some) > 1]
    stacked = [learner for some in stacks for learner in some.learners]
    return [*stacks, *(run.learner for run in runs if run.learner not in stacked)]
