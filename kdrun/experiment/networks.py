"""The networks of a run: the one that is trained, its knowledge terms, and the one that is kept."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import nn

from kdrun.data.classes import class_indices
from kdrun.errors import UserError
from kdrun.experiment.build import make, network_of, reads_labels, shapes_of, terms_of
from kdrun.experiment.lab import Data
from kdrun.modes import Mode
from kdrun.modes.loss import Term
from kdrun.modes.offline import Offline
from kdrun.runs.spec import RunSpec
from kdrun.seeding import mix
from kdrun.signals import Pair, Signals
from kdrun.training.precision import seed_device

# Purposes of a run's seed, apart so that a term with adapters leaves the student's initial weights as they are.
_NETWORK, _TERMS = 1, 2


class Parts(NamedTuple):
    """What a run is made of.

    network: the one that is trained. pair: its shapes and its teacher's.
    terms: knowledge by name, with its adapters.
    kept: the network that is evaluated and kept; not `network` itself where a term brings another head.
    """

    network: nn.Module
    pair: Pair
    terms: dict[str, Term]
    kept: nn.Module


def parts_of(spec: RunSpec, data: Data, device: torch.device, kept: Callable[[RunSpec], nn.Module]) -> Parts:
    """A run's networks and terms, freshly initialised.

    A term that changes the student itself (SimKD takes the teacher's classifier) has a method
    `export(student, teacher)`; what it returns is the network that is evaluated and kept.

    device: the one whose generator is seeded. kept: gives the kept network of a parent.
    Raises UserError for what does not fit together.
    """
    _check_labels(spec)
    seed_device(device, mix(spec.seed, _NETWORK))
    network = _network(spec, data, kept)
    pair = _pair(spec, data)
    seed_device(device, mix(spec.seed, _TERMS))
    terms = terms_of(spec.terms, pair)
    exported = network
    for term in terms.values():
        if hasattr(term.knowledge, "export"):
            (teacher,) = spec.parents
            exported = term.knowledge.export(exported, kept(teacher))
    return Parts(network, pair, terms, exported)


def shapes_only(spec: RunSpec, data: Data) -> Parts:
    """As `parts_of`, on the meta device: no memory, no arithmetic."""
    with torch.device("meta"):
        return parts_of(spec, data, torch.device("cpu"), lambda parent: shapes_only(parent, data).kept)


def _check_labels(spec: RunSpec) -> None:
    """Refuses what reads labels where a run is shown examples without them."""
    transfer = spec.examples.get("transfer")
    if transfer is None:
        return
    readers = [name for name, term in spec.terms.items() if reads_labels(term)]
    if spec.targets and reads_labels(spec.targets):
        readers.append(spec.targets["_target_"].rpartition(".")[2])
    if readers:
        raise UserError(
            f"{spec.kind}: {', '.join(readers)} reads labels, which transfer={transfer} keeps from some examples; "
            "choose another, or type transfer=labelled"
        )


def _network(spec: RunSpec, data: Data, kept: Callable[[RunSpec], nn.Module]) -> nn.Module:
    """A fresh network, or one that is made of its parents' (see `kdrun.models.FromParents`)."""
    if not spec.model.get("from_parents"):
        return network_of(spec.model, data.image_shape, data.num_classes)
    arguments = {key: value for key, value in spec.model.items() if key not in ("name", "from_parents")}
    if "classes" in arguments:
        arguments["classes"] = class_indices(arguments["classes"], data.splits.class_names)
    network: nn.Module = make(arguments, [kept(parent) for parent in spec.parents])
    return network


def _pair(spec: RunSpec, data: Data) -> Pair:
    """The shapes of a run's two networks; without a teacher the student stands on both sides."""
    with torch.device("meta"):
        network = _network(spec, data, lambda parent: shapes_only(parent, data).kept)
        student = _signals(spec, network, data)
    teacher = student if spec.teacher is None else _signals(spec.teacher, shapes_only(spec.teacher, data).kept, data)
    return Pair(student, teacher, data.num_classes, data.training_part(spec).ids.cpu().sort().values)


def _signals(spec: RunSpec, network: nn.Module, data: Data) -> Signals:
    return shapes_of(network, f"{spec.kind} {spec.model['name']}", data.image_shape, data.num_classes)


def mode_from(spec: RunSpec, parts: Parts) -> Mode:
    """Who teaches whom, with a run's networks."""
    if spec.mode is None:
        return Offline(
            parts.network, parts.terms, exported=parts.kept, alpha=spec.alpha, needs_teacher=spec.teacher is not None
        )
    mode: Mode = make(
        {key: value for key, value in spec.mode.items() if key != "name"},
        parts.network,
        parts.terms,
        exported=parts.kept,
        alpha=spec.alpha,
        needs_teacher=spec.teacher is not None,
    )
    return mode
