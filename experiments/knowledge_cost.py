"""What each kind of knowledge adds to a training step: resnet56 teaches resnet20, 64 images of 32x32, 100 classes.

    python experiments/knowledge_cost.py [--rounds 5] [--precision fp32] > experiments/knowledge_cost.csv

Every round times one step of every term, one after the other, by the CPU seconds of the process (run it on one thread);
the table holds medians over rounds, and ratios to the step without a teacher in the same round.
"""

from __future__ import annotations

import argparse
import csv
import statistics
import sys
import time
from collections.abc import Callable

import torch

from kdrun.config.compose import Composer
from kdrun.config.grid import one_point
from kdrun.experiment.build import network_of, terms_of
from kdrun.models import TappedNetwork
from kdrun.models.taps import layers_of
from kdrun.modes.offline import Offline
from kdrun.signals import Batch, Pair, Signals
from kdrun.teachers.network import NetworkTeacher
from kdrun.training.learner import Learner, Position
from kdrun.training.precision import autocast
from kdrun.training.schedules import constant

CPU = torch.device("cpu")
SHAPE, CLASSES, EXAMPLES, BATCH = (3, 32, 32), 100, 50_000, 64
START = Position(0, 0)


def shapes(model: dict[str, object]) -> Signals:
    with torch.device("meta"), torch.no_grad():
        network = network_of(model, SHAPE, CLASSES)
        return TappedNetwork(network, layers_of(network))(torch.zeros(2, *SHAPE))


def step_of(composer: Composer, option: str | None, precision: str) -> Callable[[Batch], None]:
    """One training step with a term of conf/knowledge, or with labels alone."""
    chosen = [f"knowledge={option}"] if option else []
    settings = ["teacher=resnet56", "student=resnet20", "tau=4", *chosen]
    config = composer.config(one_point(settings, composer.groups, "distill"))
    network = network_of(config.student, SHAPE, CLASSES)
    pair = Pair(shapes(config.student), shapes(config.teacher), CLASSES, torch.arange(EXAMPLES))
    terms = terms_of(config.knowledge, pair) if option else {}
    teacher_network = network_of(config.teacher, SHAPE, CLASSES)
    exported = network
    for term in terms.values():
        if hasattr(term.knowledge, "export"):
            exported = term.knowledge.export(network, teacher_network)
    mode = Offline(network, terms, exported=exported, alpha=0.5 if option else 0.0, needs_teacher=bool(option))
    optimizer = torch.optim.SGD(mode.trained.parameters(), lr=1e-6, momentum=0.9, weight_decay=5e-4, fused=True)
    schedule = constant(optimizer, epochs=1, steps_per_epoch=1)
    learner = Learner(mode, optimizer, schedule, seed=0, steps_per_epoch=1, device=CPU, precision=precision)
    learner.train_mode()
    asks = mode.teacher_layers
    teacher = None if asks is None else NetworkTeacher(teacher_network, asks, autocast(CPU, precision))

    def step(batch: Batch) -> None:
        learner.step(batch, teacher.signals(batch) if teacher else None, START)

    return step


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--precision", default="fp32")
    given = parser.parse_args()
    composer = Composer()
    names = [None, *composer.groups["knowledge"]]
    steps = {name or "labels alone": step_of(composer, name, given.precision) for name in names}
    torch.manual_seed(0)
    ids = torch.randint(0, EXAMPLES, (BATCH,))
    batch = Batch(torch.randn(BATCH, *SHAPE), torch.randint(0, CLASSES, (BATCH,)), ids, torch.zeros_like(ids), 0)
    rounds: list[dict[str, float]] = []
    for _ in range(given.rounds + 1):
        rounds.append({})
        for name, step in steps.items():
            begin = time.process_time()
            step(batch)
            rounds[-1][name] = 1e3 * (time.process_time() - begin)
        print(f"round {len(rounds) - 1} of {given.rounds}", file=sys.stderr)
    write(rounds[1:], list(steps), given.precision)


def write(rounds: list[dict[str, float]], names: list[str], precision: str) -> None:
    writer = csv.writer(sys.stdout, lineterminator="\n")
    columns = ("term", "step_cpu_ms", "over_labels_alone", "over_kd", "over_kd_min", "over_kd_max")
    writer.writerow([*columns, "rounds", "threads", "precision", "torch"])
    for name in names:
        over_labels = [one[name] / one["labels alone"] for one in rounds]
        over_kd = [one[name] / one["response/kd"] for one in rounds]
        median = statistics.median
        row = [median([one[name] for one in rounds]), median(over_labels), median(over_kd), min(over_kd), max(over_kd)]
        environment = [len(rounds), torch.get_num_threads(), precision, torch.__version__]
        writer.writerow([name, *(f"{value:.3f}" for value in row), *environment])


if __name__ == "__main__":
    main()
