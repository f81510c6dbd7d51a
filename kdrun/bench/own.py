"""kdrun's own loop: runs carried out as a command carries them out, in a store of their own, until told to stop."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, Protocol

import torch
from torch import nn

from kdrun.bench import Stop
from kdrun.errors import RunFailed, UserError
from kdrun.experiment.lab import Lab
from kdrun.experiment.measure import identity
from kdrun.experiment.running import mode_of
from kdrun.experiment.train import Interrupted, Rows
from kdrun.models import FromParents
from kdrun.runs.spec import RunSpec
from kdrun.training.learner import Position


class Executor(Protocol):
    """As `kdrun.executors.Executor`."""

    def execute(self, specs: Sequence[RunSpec], lab: Any, observer: Any, *, stop: Stop) -> list[str]: ...


class Together:
    """An observer that notes how many runs were begun side by side."""

    def __init__(self) -> None:
        self.most = 0

    def started(self, specs: Sequence[RunSpec], epochs: int, done: Position) -> None:
        self.most = max(self.most, len(specs))

    def epoch(self, rows: Rows) -> None: ...

    def finished(self, spec: RunSpec, result: Mapping[str, Any]) -> None: ...

    def failed(self, spec: RunSpec, reason: str) -> None: ...

    def filling(self, done: int, total: int) -> None: ...

    def remarked(self, line: str) -> None: ...


def own_loop(specs: Sequence[RunSpec], lab: Lab, executor: Executor, stop: Stop) -> None:
    """Trains runs side by side from their beginning; their parents are finished.

    Raises UserError where the executor does not train all of them side by side, and RunFailed where one fails.
    """
    forget(specs, lab)
    together = Together()
    with suppress(Interrupted):
        if failures := executor.execute(specs, lab, together, stop=stop):
            raise RunFailed("; ".join(failures))
    if together.most < len(specs):
        raise UserError(
            f"{together.most} of {len(specs)} runs trained side by side; use executor=lockstep, with an "
            f"executor.max_group of at least {len(specs)} and memory for as many"
        )


def forget(specs: Sequence[RunSpec], lab: Lab) -> None:
    """Removes what is stored of runs, so that they begin anew."""
    for spec in specs:
        shutil.rmtree(lab.store.folder(spec).path, ignore_errors=True)


def put_untrained(spec: RunSpec, lab: Lab) -> None:
    """Puts a run into the store as if it were finished: with the weights that it begins with.

    Batch norm's statistics are those of one batch, so that what passes through stays in range. Its parents come first.
    """
    for parent in spec.parents:
        put_untrained(parent, lab)
    network = mode_of(spec, lab).student.to(lab.device)
    for module in network.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.momentum = 1.0
    batch = next(lab.data(spec.dataset).training_batches(spec).epoch(0))
    with torch.no_grad():
        network.train()(batch.inputs)
    result = {**identity(spec), "test_accuracy": 0.0, "test_examples": 0, "train_seconds": 0.0}
    folder = lab.store.folder(spec)
    folder.start(spec, {})
    state = network.own_state() if isinstance(network, FromParents) else network.state_dict()
    folder.finish(state, [], "id,label,predicted,confidence\n", (), result)
