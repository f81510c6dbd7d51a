"""One run while it trains: its learner, its rows, its folder."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import nn

from kdrun.experiment.build import make, network_of, optimizer_of, shapes_of, terms_of
from kdrun.experiment.lab import Data, Lab
from kdrun.metrics.quality import quality
from kdrun.modes import Mode
from kdrun.modes.offline import Offline
from kdrun.runs.folder import RunFolder
from kdrun.runs.spec import RunSpec
from kdrun.seeding import mix
from kdrun.signals import Pair
from kdrun.training.evaluation import logits_of
from kdrun.training.learner import Learner, Position, constrain_after_steps
from kdrun.training.precision import seed_device

# Purposes of a run's seed, apart so that a term with adapters leaves the student's initial weights as they are.
_NETWORK, _TERMS = 1, 2


@dataclass
class Running:
    """A run in training. `seconds`: spent on it so far, in this process and before."""

    spec: RunSpec
    folder: RunFolder
    learner: Learner
    position: Position
    rows: list[Mapping[str, Any]] = field(default_factory=list)
    seconds: float = 0.0
    failure: str | None = None

    def save(self) -> None:
        """Writes the training state; one with a loss that is not finite is left unwritten, the last good one stays."""
        if self.learner.first_bad_step() is None:
            state = {
                "position": list(self.position),
                "seconds": self.seconds,
                "learner": self.learner.state(),
            }
            self.folder.save_state(state, self.rows)

    def add_row(self, data: Data) -> Mapping[str, Any]:
        """Adds the row of the epoch that has just ended."""
        row: dict[str, Any] = {
            "epoch": self.position.epoch,
            "learning_rate": self.learner.learning_rate,
            **self.learner.epoch_losses(),
            **validation_of(self.learner.network, data, self.spec.precision),
            "seconds": round(self.seconds, 3),
        }
        self.rows.append(row)
        return row

    def fail(self, step: int) -> None:
        """Notes that the loss was not finite at a step of the epoch that has just ended."""
        epoch = self.position.epoch
        self.failure = (
            f"{self.spec.title}: the loss is not finite at step {step + 1} of epoch {epoch}; stopped, its last "
            f"good state is in {self.folder.path}; try a smaller learning rate"
        )


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
    optimizer, schedule = optimizer_of(spec.recipe, list(mode.trained.parameters()), steps)
    constrain_after_steps(optimizer, mode.student)
    learner = Learner(
        mode,
        optimizer,
        schedule,
        seed=spec.seed,
        steps_per_epoch=steps,
        device=lab.device,
        precision=spec.precision,
    )
    running = Running(spec, folder, learner, Position(0, 0))
    _resume(running)
    return running


def finished_network(spec: RunSpec, lab: Lab) -> nn.Module:
    """A finished run's network on the device. Raises UserError when its weights are damaged."""
    if spec.fingerprint not in lab.networks:
        network = mode_of(spec, lab).student
        network.load_state_dict(lab.store.folder(spec).weights())
        lab.networks[spec.fingerprint] = network.to(lab.device)
    return lab.networks[spec.fingerprint]


def mode_of(spec: RunSpec, lab: Lab) -> Mode:
    """A run's mode with freshly initialised networks.

    A term that changes the student itself (SimKD takes the teacher's classifier) has a method
    `export(student, teacher)`; what it returns is the network that is evaluated and kept.
    """
    data = lab.data(spec.dataset)
    seed_device(lab.device, mix(spec.seed, _NETWORK))
    network = network_of(spec.model, data.image_shape, data.num_classes)
    pair = pair_of(spec, data)
    seed_device(lab.device, mix(spec.seed, _TERMS))
    terms = terms_of(spec.terms, pair)
    exported = network
    for term in terms.values():
        if hasattr(term.knowledge, "export"):
            exported = term.knowledge.export(exported, _teacher_network(spec, lab))
    if spec.mode is None:
        return Offline(network, terms, exported=exported, alpha=spec.alpha, needs_teacher=False)
    mode: Mode = make(
        {key: value for key, value in spec.mode.items() if key != "name"},
        network,
        terms,
        exported=exported,
        alpha=spec.alpha,
        needs_teacher=bool(spec.parents),
    )
    return mode


def _teacher_network(spec: RunSpec, lab: Lab) -> nn.Module:
    """The one teacher's network: as trained, or fresh where it is still to be trained (before a plan begins)."""
    (parent,) = spec.parents
    if lab.store.folder(parent).is_finished:
        return finished_network(parent, lab)
    return mode_of(parent, lab).student


def pair_of(spec: RunSpec, data: Data) -> Pair:
    """The shapes of a run's two networks; without a teacher the student stands on both sides."""
    student = shapes_of(spec.model, spec.kind, data.image_shape, data.num_classes)
    teacher = student
    for parent in spec.parents:
        teacher = shapes_of(parent.model, "teacher", data.image_shape, data.num_classes)
    return Pair(student, teacher, data.num_classes, data.training_batches(spec).id_count)


def _resume(running: Running) -> None:
    stored = running.folder.load_state()
    if stored is None:
        running.folder.start(running.spec)
        return
    state, running.rows = stored[0], list(stored[1])
    running.learner.load_state(state["learner"])
    running.position = Position(*state["position"])
    running.seconds = state["seconds"]


class Clock:
    """Wall time for a group of runs: when to save, and how long each was trained."""

    def __init__(self, save_every_s: float) -> None:
        self._every = save_every_s
        self._saved = self._lap = time.monotonic()

    def is_due(self) -> bool:
        """Whether the last save is longer ago than it should be."""
        return time.monotonic() - self._saved >= self._every

    def saved(self) -> None:
        self._saved = time.monotonic()

    def lap(self) -> float:
        """Seconds since the last lap."""
        now = time.monotonic()
        passed, self._lap = now - self._lap, now
        return passed
