"""The networks of a run: the one that is trained, its knowledge terms, and the one that is kept."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import nn

from kdrun.errors import UserError
from kdrun.experiment.build import make, network_of, shapes_of, terms_of
from kdrun.experiment.lab import Data
from kdrun.modes import Mode
from kdrun.modes.loss import Term
from kdrun.modes.offline import Offline
from kdrun.runs.spec import RunSpec
from kdrun.seeding import mix
from kdrun.signals import Pair, Signals
from kdrun.training.precision import seed_device

# Purposes of a run's seed, apart so that a term with adapters leaves the student's initial weights as they are.
_NETWORK, _TERMS, _MODE = 1, 2, 3


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
    seed_device(device, mix(spec.seed, _NETWORK))
    network = _network(spec, data, kept)
    pair = _pair(spec, data)
    seed_device(device, mix(spec.seed, _TERMS))
    terms = terms_of(spec.terms, pair)
    exported = network
    for name, term in terms.items():
        if hasattr(term.knowledge, "export"):
            if spec.teacher is None:
                raise UserError(f"knowledge {name} takes over a teacher's classifier, and here is none; choose another")
            exported = term.knowledge.export(exported, kept(spec.teacher))
    return Parts(network, pair, terms, exported)


def shapes_only(spec: RunSpec, data: Data) -> Parts:
    """As `parts_of`, on the meta device: no memory, no arithmetic."""
    with torch.device("meta"):
        return parts_of(spec, data, torch.device("cpu"), lambda parent: shapes_only(parent, data).kept)


def _network(spec: RunSpec, data: Data, kept: Callable[[RunSpec], nn.Module]) -> nn.Module:
    """A fresh network, or one that is made of its parents' (see `kdrun.models.FromParents`)."""
    if not spec.model.get("from_parents"):
        return network_of(spec.model, data.image_shape, data.num_classes)
    arguments = {key: value for key, value in spec.model.items() if key not in ("name", "from_parents")}
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
    """Who teaches whom, with a run's networks; what a mode adds to them is freshly initialised."""
    seed_device(torch.device("cpu"), mix(spec.seed, _MODE))
    given: dict[str, Any] = {
        "pair": parts.pair,
        "exported": parts.kept,
        "alpha": spec.alpha,
        "needs_teacher": spec.teacher is not None,
    }
    if spec.mode is None:
        return Offline(parts.network, parts.terms, **given)
    own = {key: value for key, value in spec.mode.items() if key != "name"}
    mode: Mode = make(own, parts.network, parts.terms, **given)
    return mode
