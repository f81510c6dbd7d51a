"""Which runs of a group are computed as one."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from kdrun.experiment.running import Running
from kdrun.runs.identity import text
from kdrun.training.loop import Stepper
from kdrun.training.stack import Member, Stack, member


def steppers(runs: Sequence[Running], *, stack_up_to: int) -> list[Stepper]:
    """Runs that train side by side, as the loop steps them: those of equal networks stacked where that can be.

    stack_up_to: the most parameters of a network; 0 to have each run take its steps by itself.
    """
    alike: dict[str, list[Member]] = {}
    for run in runs:
        one = member(run.learner)
        if one is not None and sum(map(torch.numel, one.parameters)) <= stack_up_to:
            alike.setdefault(text(run.spec.identity["model"]), []).append(one)
    stacks = [Stack(some) for some in alike.values() if len(some) > 1]
    stacked = [learner for some in stacks for learner in some.learners]
    return [*stacks, *(run.learner for run in runs if run.learner not in stacked)]
