"""What a run pairs, adds and needs, from shapes alone: on the meta device, nothing trained and nothing written."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain, zip_longest
from typing import Any

import torch
from torch import Tensor, nn

from kdrun.experiment.build import users_errors
from kdrun.experiment.lab import Data
from kdrun.experiment.memory import StepMemory, step_memory
from kdrun.experiment.networks import Parts, mode_from, shapes_only
from kdrun.knowledge import Knowledge
from kdrun.metrics.cost import flops, parameters
from kdrun.models.cohort import Cohort
from kdrun.runs.spec import RunSpec
from kdrun.signals import Batch, Pair


@dataclass(frozen=True)
class NetworkCost:
    """role: teacher, student, ..., and `student, kept` where what is evaluated is not what is trained.

    flops: of a forward pass of one example, a multiply-add as 2.
    """

    role: str
    name: str
    parameters: int
    flops: int


@dataclass(frozen=True)
class Adapter:
    """A trained part of a term. source, target: shapes without the batch, empty for what is not called."""

    name: str
    source: str
    target: str
    parameters: int


@dataclass(frozen=True)
class TermShapes:
    """A knowledge term. layers: pairs of the student's and the teacher's, name and shape; none: logits alone."""

    name: str
    layers: tuple[tuple[str, str], ...]
    adapters: tuple[Adapter, ...]


@dataclass(frozen=True)
class Description:
    """One run. memory: of a step; instead the reason, where a term cannot be followed without data."""

    networks: tuple[NetworkCost, ...]
    terms: tuple[TermShapes, ...]
    batch_size: int
    precision: str
    memory: StepMemory | str


Ends = tuple[torch.Size, torch.Size]  # a module's input and output


def describe(spec: RunSpec, data: Data) -> Description:
    """Describes a run, its teacher included, as it would be trained.

    Raises UserError for what does not fit together.
    """
    batch = _batch(data.training_batches(spec).batch_size, data)
    parts, teachers = shapes_only(spec, data), [shapes_only(one, data).kept for one in _asked(spec)]
    mode = mode_from(spec, parts)
    mode.trained.to("meta").train()  # a term may have been given tensors that are elsewhere (ids of examples)
    adapters = {name: dict(_adapters(term.knowledge, name)) for name, term, _ in parts.taught()}
    networks = _networks(spec, parts, teachers, batch)
    with (
        _watched(chain.from_iterable(some.values() for some in adapters.values())) as called,
        users_errors(f"{spec.title} cannot form its losses"),
    ):
        memory: StepMemory | str
        try:
            memory = step_memory(mode, teachers, batch, spec.recipe["optimizer"], spec.precision)
        except RuntimeError as error:
            memory = str(error).partition("\n")[0]
    terms = (
        TermShapes(name, tuple(_layers(term.knowledge, pair)), tuple(_with_ends(adapters[name], called)))
        for name, term, pair in parts.taught()
    )
    return Description(networks, tuple(terms), len(batch.ids), spec.precision, memory)


def _asked(spec: RunSpec) -> list[RunSpec]:
    return [] if spec.teacher is None else [spec.teacher]


def _batch(size: int, data: Data) -> Batch:
    numbers = torch.empty(size, dtype=torch.int64, device="meta")
    return Batch(torch.empty(size, *data.image_shape, device="meta"), numbers, numbers, numbers, epoch=0)


def _networks(spec: RunSpec, parts: Parts, teachers: list[nn.Module], batch: Batch) -> tuple[NetworkCost, ...]:
    def cost(role: str, model: Mapping[str, Any], network: nn.Module) -> NetworkCost:
        return NetworkCost(role, model["name"], parameters(network), flops(network, batch.inputs))

    if isinstance(parts.network, Cohort):
        listening = {lesson.student for lesson in parts.lessons}
        roles = ["student" if place in listening else "teacher" for place in range(len(parts.network.members))]
        return tuple(map(cost, roles, spec.model["members"], parts.network.members))
    costs = [cost(run.kind, run.model, network) for run, network in zip(_asked(spec), teachers, strict=True)]
    costs.append(cost(spec.kind, spec.model, parts.network))
    if parts.kept is not parts.network:
        costs.append(cost(f"{spec.kind}, kept", spec.model, parts.kept))
    return tuple(costs)


def _layers(term: Knowledge, pair: Pair) -> Iterator[tuple[str, str]]:
    sides = (
        [f"{layer} {_text(signals.features[layer].shape)}" for layer in layers]
        for signals, layers in ((pair.student, term.student_layers), (pair.teacher, term.teacher_layers))
    )
    yield from zip_longest(*sides, fillvalue="")


def _adapters(term: Knowledge, name: str) -> Iterator[tuple[str, nn.Module | Tensor]]:
    """What a term trains, by name: its own parameters, and its submodules, those in a list one by one."""
    if not isinstance(term, nn.Module):
        return
    for key, value in term.named_parameters(recurse=False):
        yield f"{name}.{key}", value
    for key, child in term.named_children():
        members = child.named_children() if isinstance(child, nn.ModuleList | nn.ModuleDict) else [("", child)]
        for member, module in members:
            if parameters(module):
                yield f"{name}.{key}.{member}".rstrip("."), module


def _with_ends(adapters: Mapping[str, nn.Module | Tensor], called: Mapping[object, Ends]) -> Iterator[Adapter]:
    for name, trained in adapters.items():
        source, target = map(_text, called.get(trained, (torch.Size(), torch.Size())))
        count = parameters(trained) if isinstance(trained, nn.Module) else trained.numel()
        yield Adapter(name, source, target, count)


@contextmanager
def _watched(adapters: Iterable[nn.Module | Tensor]) -> Iterator[Mapping[object, Ends]]:
    """Notes the shapes of the first tensor that enters, and the first that leaves, each module that is called."""
    called: dict[object, Ends] = {}

    def note(module: nn.Module, arguments: tuple[Tensor, ...], output: Tensor | tuple[Tensor, ...]) -> None:
        first = output if isinstance(output, Tensor) else output[0]
        called[module] = arguments[0].shape, first.shape

    hooks = [module.register_forward_hook(note) for module in adapters if isinstance(module, nn.Module)]
    try:
        yield called
    finally:
        for hook in hooks:
            hook.remove()


def _text(shape: torch.Size) -> str:
    return "x".join(map(str, shape[1:]))
