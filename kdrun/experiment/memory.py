"""How much memory training holds, estimated from shapes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import chain
from typing import Any

import torch
from torch import Tensor, nn

from kdrun.experiment.build import make, network_of
from kdrun.experiment.lab import Lab
from kdrun.models import Stackable, TappedNetwork
from kdrun.modes import Mode
from kdrun.runs.spec import RunSpec
from kdrun.signals import Batch, Signals

STAND_IN = 1024  # weights of the vector on which an optimiser shows how much it remembers


@dataclass(frozen=True)
class StepMemory:
    """Bytes that a training step holds at once.

    weights: the student, what its terms train, and what they remember. gradients: one for each weight.
    optimizer: what it remembers, measured on a small vector and scaled.
    activations: what the backward pass needs of the forward pass, the batch included; half of it in half precision.
    teacher: its weights, and the input and output of its largest layer.
    Workspaces of the device's library, fragmentation and values that live for a moment only are left out.
    """

    weights: int
    gradients: int
    optimizer: int
    activations: int
    teacher: int

    @property
    def total(self) -> int:
        return self.weights + self.gradients + self.optimizer + self.activations + self.teacher


def step_memory(
    mode: Mode, teachers: Iterable[nn.Module], batch: Batch, optimizer: Mapping[str, Any], precision: str
) -> StepMemory:
    """Follows a step on the meta device.

    mode, teachers, batch: all on the meta device. optimizer: as in a recipe. precision: fp32, bf16 or fp16.
    Raises UserError for an optimiser that cannot be made, and RuntimeError where a term needs data.
    """
    share = 1.0 if precision == "fp32" else 0.5
    trained = [one for one in mode.trained.parameters() if one.requires_grad]
    said, layer = None, 0
    for teacher in teachers:
        said, layer = _teacher_pass(teacher, mode, batch)
    needed = _activations(lambda: mode.losses(batch, said), mode.trained)
    return StepMemory(
        weights=_bytes(chain(mode.trained.parameters(), mode.trained.buffers())),
        gradients=_bytes(trained),
        optimizer=round(_remembered(optimizer) * _bytes(trained)),
        activations=round(share * needed),
        teacher=sum(_bytes(chain(one.parameters(), one.buffers())) for one in teachers) + round(share * layer),
    )


def training_bytes(spec: RunSpec, lab: Lab) -> int:
    """Bytes that a run holds while others train beside it; its adapters are not counted.

    Weights and what the optimiser remembers; and, where it can be stacked, gradients and activations, which a stack has
    of all its networks at once.
    """
    if not spec.is_trained:
        return 0
    if spec.starts_from is not None:
        return training_bytes(spec.starts_from, lab)
    data = lab.data(spec.dataset)
    model, optimizer = (json.dumps(one, sort_keys=True) for one in (spec.model, spec.recipe["optimizer"]))
    return _training_bytes(model, optimizer, spec.recipe["batch_size"], data.image_shape, data.num_classes)


@cache
def _training_bytes(
    model: str, optimizer: str, batch_size: int, image_shape: tuple[int, int, int], num_classes: int
) -> int:
    with torch.device("meta"):
        network = network_of(json.loads(model), image_shape, num_classes)
        images = torch.empty(batch_size, *image_shape)
    weights = _bytes(network.parameters())
    held = weights + round(_remembered(json.loads(optimizer)) * weights)
    if isinstance(network, Stackable) and not network.noisy:
        held += weights + _activations(lambda: network(images), network) - _bytes([images])
    return held


def _teacher_pass(teacher: nn.Module, mode: Mode, batch: Batch) -> tuple[Signals | None, int]:
    """What the teacher says, None where it is not asked, and the bytes of its largest layer's input and output."""
    if mode.teacher_layers is None:
        return None, 0
    sizes: list[int] = []
    leaves = [module for module in teacher.modules() if not list(module.children())]
    hooks = [
        module.register_forward_hook(lambda _m, args, out: sizes.append(_bytes([*args, out]))) for module in leaves
    ]
    with torch.no_grad():
        said = TappedNetwork(teacher.eval(), mode.teacher_layers)(batch.inputs)
    for hook in hooks:
        hook.remove()
    return said, max(sizes, default=0)


def _activations(forward: Callable[[], object], trained: nn.Module) -> int:
    """Bytes of what autograd keeps between the forward and the backward pass, each storage once."""
    kept: dict[int, torch.UntypedStorage] = {}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        kept[id(storage)] = storage  # held, so that its id stays its own
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        output = forward()
    own = {id(one.untyped_storage()) for one in (*trained.parameters(), *trained.buffers())}
    del output
    return sum(storage.nbytes() for key, storage in kept.items() if key not in own)


def _remembered(optimizer: Mapping[str, Any]) -> float:
    """Bytes of an optimiser's state after a step, for each byte of the weights."""
    weights = torch.zeros(STAND_IN, requires_grad=True)
    weights.grad = torch.ones_like(weights)
    made = make(optimizer, [weights])
    made.step()
    state = [one for one in made.state[weights].values() if isinstance(one, Tensor) and one.numel() > 1]
    return _bytes(state) / _bytes([weights])


def _bytes(values: Iterable[object]) -> int:
    return sum(value.nbytes for value in values if isinstance(value, Tensor))
