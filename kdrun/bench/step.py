"""`kdrun bench`: the step of one run, beside the bare loop, the peer loop and torchdistill's."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import partial
from typing import Any

from kdrun.bench import Loop
from kdrun.bench.bare import bare_loop
from kdrun.bench.breakdown import PARTS, breakdown
from kdrun.bench.own import Executor, own_loop, put_untrained
from kdrun.bench.peer import peer_loop
from kdrun.bench.rounds import CLOCKS, WARM_UP, Round, interleaved, ratios, step_times
from kdrun.bench.task import Task, is_whole, task_of
from kdrun.bench.torchdistill_box import is_installed, torchdistill_loop
from kdrun.bench.watch import Watch
from kdrun.bench.work import measured_peak, step_flops
from kdrun.experiment.lab import Lab
from kdrun.experiment.measure import environment
from kdrun.runs.spec import RunSpec

Told = Callable[[int], None]  # told of the number of every round that is done


def bench_step(
    spec: RunSpec,
    tau: float,
    lab: Lab,
    executor: Executor,
    *,
    rounds: int,
    seconds: float,
    workers: int,
    told: Told,
) -> dict[str, Any]:
    """Times the step of a run in turns with those of other loops of the same networks on the same data.

    lab: with a store of the bench's own, into which the run's teacher is put untrained.
    tau: of the other loops. workers: of their DataLoaders.
    Returns plain values, times in milliseconds a step: see `experiments/speed.md`.
    """
    for parent in spec.parents:
        put_untrained(parent, lab)
    task = task_of(spec, tau, lab)
    loops = _loops(spec, task, lab, executor, workers)
    timed = []
    for one in interleaved(loops, lab.device, rounds=rounds, seconds=seconds, most_steps=task.steps):
        timed.append(one)
        told(len(timed))
    return {
        "bench": "step",
        **_about(spec, task),
        "rounds": rounds,
        "workers": workers,
        "loops": {name: _loop_times(timed, name, task.batch_size) for name in loops},
        "ratios": {"kdrun/bare": _ratio(timed, "kdrun", "bare")}
        | {f"{name}/kdrun": _ratio(timed, name, "kdrun") for name in loops if name not in ("kdrun", "bare")},
        "breakdown_ms": _parts(spec, lab, rounds, timed[0]["kdrun"].steps),
        "work": _work(task, step_times(timed, "kdrun", "wall").median, asked=lab.teacher_signals(spec) == "live"),
        "environment": environment(lab.device),
    }


def _loops(spec: RunSpec, task: Task, lab: Lab, executor: Executor, workers: int) -> dict[str, Loop]:
    loops: dict[str, Loop] = {
        "kdrun": partial(own_loop, [spec], lab, executor),
        "bare": partial(bare_loop, task),
        "peer": partial(peer_loop, task, workers=workers),
    }
    if is_installed() and task.teacher is not None:
        loops["torchdistill"] = partial(torchdistill_loop, task, workers=workers)
    return loops


def _about(spec: RunSpec, task: Task) -> dict[str, Any]:
    return {
        "teacher": None if spec.teacher is None else spec.teacher.model["name"],
        "student": spec.model["name"],
        "dataset": spec.dataset["name"],
        "knowledge": list(spec.terms),
        "others_compute_the_same": is_whole(spec),
        "tau": task.tau,
        "alpha": spec.alpha,
        "precision": spec.precision,
        "batch_size": task.batch_size,
        "train_examples": len(task.part),
    }


def _loop_times(timed: Sequence[Round], name: str, batch_size: int) -> dict[str, Any]:
    wall = step_times(timed, name, "wall")
    return {
        "steps_a_round": timed[0][name].steps,
        **{
            f"{clock}_ms": {key: 1e3 * value for key, value in asdict(step_times(timed, name, clock)).items()}
            for clock in CLOCKS
        },
        "images_a_second": batch_size / wall.median,
    }


def _ratio(timed: Sequence[Round], name: str, over: str) -> dict[str, Any]:
    return {clock: asdict(ratios(timed, name, over, clock)) for clock in CLOCKS}


def _parts(spec: RunSpec, lab: Lab, rounds: int, steps: int) -> dict[str, float]:
    """Medians over rounds of their own: the clocks inside the step make it slower."""
    parts = [breakdown(spec, lab, Watch(WARM_UP, steps, lab.device)) for _ in range(rounds)]
    return {name: 1e3 * statistics.median(one[name] for one in parts) for name in PARTS}


def _work(task: Task, seconds: float, *, asked: bool) -> dict[str, float]:
    """seconds: a step of kdrun's takes. asked: whether the teacher is, in that step, and not its cache."""
    done, peak = step_flops(task, asked=asked), measured_peak(task.device, task.precision)
    return {
        "step_flops": done,
        "flops_a_second": done / seconds,
        "matmul_flops_a_second": peak,
        "share_of_matmul": done / seconds / peak,
    }
