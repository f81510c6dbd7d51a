"""One run while it trains: its learner, its rows, its folder."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import nn

from kdrun.errors import UserError
from kdrun.experiment.build import update_of, without_weights
from kdrun.experiment.caching import Kind
from kdrun.experiment.failures import NotFinite, check_finite, floating, not_finite
from kdrun.experiment.lab import Data, Lab
from kdrun.experiment.networks import mode_from, parts_of
from kdrun.metrics.quality import quality
from kdrun.models import FromParents, Settling
from kdrun.modes import Mode
from kdrun.runs.code import targets_in
from kdrun.runs.folder import RunFolder
from kdrun.runs.spec import RunSpec
from kdrun.training.evaluation import logits_of
from kdrun.training.learner import Learner, Position, constrain_after_steps, parameter_sets


@dataclass
class Running:
    """A run in training.

    teacher_signals: how they reach it (see `kdrun.experiment.caching`); None without a teacher.
    constants: buffers of the kept network that are not finite from the start, such as a mask of -inf.
    seconds: spent on it so far, in this process and before.
    """

    spec: RunSpec
    folder: RunFolder
    learner: Learner
    position: Position
    teacher_signals: Kind | None
    constants: frozenset[str] = frozenset()
    rows: list[Mapping[str, Any]] = field(default_factory=list)
    seconds: float = 0.0

    def save(self) -> None:
        """Writes the training state; one that is not finite is left unwritten, the last good one stays."""
        if self.learner.first_bad_step() is None and not self._bad_weights():
            state = {
                "position": list(self.position),
                "seconds": self.seconds,
                "learner": self.learner.state(),
            }
            self.folder.save_state(state, self.rows)

    def add_row(self, data: Data) -> Mapping[str, Any]:
        """Adds the row of the epoch that has just ended. Raises NotFinite for weights or numbers that are not."""
        epoch = self.position.epoch
        if bad := self._bad_weights():
            more = f" and {len(bad) - 1} more" if len(bad) > 1 else ""
            raise NotFinite(f"the weights {bad[0]}{more} are not finite at the end of epoch {epoch}")
        row: dict[str, Any] = {
            "epoch": epoch,
            "learning_rate": self.learner.learning_rate,
            **self.learner.epoch_losses(),
            **validation_of(self.learner.network, data, self.spec.precision),
            "seconds": round(self.seconds, 3),
        }
        check_finite(row, f"in epoch {epoch}")
        self.rows.append(row)
        return row

    def _bad_weights(self) -> list[str]:
        """Names of what is trained, and of what is kept, that is not finite; what terms remember is not looked at."""
        kept = {name: one for name, one in floating(self.learner.network).items() if name not in self.constants}
        seen = {id(one) for one in kept.values()}
        trained = self.learner.mode.trained.named_parameters()
        return not_finite(kept | {name: one for name, one in trained if id(one) not in seen})


def validation_of(network: nn.Module, data: Data, precision: str) -> dict[str, float]:
    """Accuracy and NLL on the validation part; nothing where there is none."""
    part = data.splits.validation
    if not len(part):
        return {}
    logits = logits_of(network, data.evaluate_on(part), part.labels.device, precision)
    measured = quality(logits, part.labels)
    return {"validation_accuracy": measured.accuracy, "validation_nll": measured.nll}


def begin(spec: RunSpec, lab: Lab) -> Running:
    """A run ready to train: fresh, or where its last state left it.

    Raises UserError for what does not fit together, and for a damaged state.
    """
    folder = lab.store.folder(spec)
    data = lab.data(spec.dataset)
    steps = data.training_batches(spec).steps_per_epoch
    mode = mode_of(spec, lab)
    mode.trained.to(lab.device)
    mode.student.to(lab.device)  # another module where a term brings its own head
    updates = [update_of(spec.recipe, parameters, steps) for parameters in parameter_sets(mode)]
    constrain_after_steps(updates[0].optimizer, mode.network)
    learner = Learner(
        mode,
        updates,
        seed=spec.network_seed,
        steps_per_epoch=steps,
        device=lab.device,
        precision=spec.precision,
        copies=any(not target.startswith("kdrun.") for target in targets_in([spec.model, spec.terms, spec.mode])),
    )
    settle(spec, mode.student, lab)
    lab.compiling.apply(mode)
    constants = frozenset(not_finite(dict(mode.student.named_buffers())))
    running = Running(spec, folder, learner, Position(0, 0), lab.teacher_signals(spec), constants)
    _resume(running)
    return running


def settle(spec: RunSpec, network: nn.Module, lab: Lab) -> None:
    """Shows a network on the device the training part, if that is what it asks for."""
    if isinstance(network, Settling):
        data = lab.data(spec.dataset)
        network.settle(data.evaluate_on(data.training_inputs(spec)))


def finished_network(spec: RunSpec, lab: Lab) -> nn.Module:
    """A finished run's network on the device. Raises UserError when its weights are damaged."""
    network = lab.networks.get(spec.fingerprint)
    if network is None:
        network = mode_of(without_weights(spec), lab).student
        folder = lab.store.folder(spec)
        try:
            network.load_state_dict(folder.weights(), strict=not isinstance(network, FromParents))
        except RuntimeError as error:
            raise UserError(f"the weights in {folder.path} do not fit the network of its spec.json") from error
        lab.networks[spec.fingerprint] = network.to(lab.device)
    return network


def mode_of(spec: RunSpec, lab: Lab) -> Mode:
    """A run's mode with freshly initialised networks."""

    def kept(parent: RunSpec) -> nn.Module:
        # Fresh where the teacher is still to be trained (before a plan begins).
        finished = lab.store.folder(parent).is_finished
        return finished_network(parent, lab) if finished else mode_of(parent, lab).student

    return mode_from(spec, parts_of(spec, lab.data(spec.dataset), lab.device, kept))


def _resume(running: Running) -> None:
    stored = running.folder.load_state()
    if stored is None:
        running.folder.start(running.spec, {"teacher_signals": running.teacher_signals})
        return
    state, running.rows = stored[0], list(stored[1])
    running.learner.load_state(state["learner"])
    running.position = Position(*state["position"])
    running.seconds = state["seconds"]
    running.folder.restore_metrics(running.rows)


class Clock:
    """Wall time for a group of runs: when to save, and how long each was trained.

    save_every_s: seconds from one save to the next, or 1 / SAVING of what the last one took if that is more, so that
        large states do not take more than this share of the time; 0: save at every step.
    """

    SAVING = 0.02

    def __init__(self, save_every_s: float) -> None:
        self._every = self._least = save_every_s
        self._saved = self._lap = time.monotonic()

    def is_due(self) -> bool:
        """Whether the last save is longer ago than it should be."""
        return time.monotonic() - self._saved >= self._every

    def saved(self, began: float) -> None:
        """Notes a save that has just ended. began: `time.monotonic()` before it."""
        self._saved = time.monotonic()
        if self._least:
            self._every = max(self._least, (self._saved - began) / self.SAVING)

    def lap(self) -> float:
        """Seconds since the last lap."""
        now = time.monotonic()
        passed, self._lap = now - self._lap, now
        return passed
