"""`kdrun bench sweep`: students of a sweep side by side, against each of them on its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from typing import Any

from kdrun.bench.own import Executor, own_loop, put_untrained
from kdrun.bench.rounds import CLOCKS, interleaved
from kdrun.bench.spread import spread
from kdrun.bench.step import Told
from kdrun.errors import UserError
from kdrun.experiment.lab import Lab
from kdrun.experiment.measure import environment
from kdrun.runs.spec import RunSpec


def bench_sweep(
    together: tuple[Sequence[RunSpec], Lab, Executor],
    alone: tuple[Sequence[RunSpec], Lab, Executor],
    *,
    rounds: int,
    seconds: float,
    told: Told,
) -> dict[str, Any]:
    """Times a step of k students side by side in turns with a step of each of them.

    together, alone: the same k runs, at least one, as they are carried out side by side and one by one, each with
        a lab whose store is the bench's own.
    Returns plain values, times in milliseconds; the share is that of one step of all over the sum of k single steps.
    """
    specs = together[0]
    if len({spec.teacher for spec in specs}) > 1:
        raise UserError(
            "the students do not share one teacher and cannot train side by side; use mode=offline, and of several "
            "networks teacher.mean=geometric (an arithmetic mean is another teacher at each tau)"
        )
    for runs, lab, _ in (together, alone):
        for parent in dict.fromkeys(parent for spec in runs for parent in spec.parents):
            put_untrained(parent, lab)
    loops = {"together": partial(own_loop, *together)}
    loops |= {f"alone {number}": partial(own_loop, [spec], *alone[1:]) for number, spec in enumerate(alone[0])}
    device, spec = together[1].device, specs[0]
    steps = spec.recipe["epochs"] * together[1].data(spec.dataset).training_batches(spec).steps_per_epoch
    timed = []
    for one in interleaved(loops, device, rounds=rounds, seconds=seconds, most_steps=steps):
        timed.append(one)
        told(len(timed))
    sums: dict[str, Any] = {}
    for clock in CLOCKS:
        of_all = [getattr(one["together"], clock) for one in timed]
        of_each = [sum(getattr(one[name], clock) for name in loops if name != "together") for one in timed]
        shares = [mine / theirs for mine, theirs in zip(of_all, of_each, strict=True)]
        sums[clock] = {
            "together_ms": 1e3 * spread(of_all).median,
            "alone_ms": 1e3 * spread(of_each).median,
            "share": asdict(spread(shares)),
        }
    return {
        "bench": "sweep",
        "k": len(specs),
        "teacher": None if spec.teacher is None else spec.teacher.model["name"],
        "student": spec.model["name"],
        "dataset": spec.dataset["name"],
        "precision": spec.precision,
        "batch_size": spec.recipe["batch_size"],
        "rounds": rounds,
        **sums,
        "environment": environment(device),
    }
