"""Feature maps of two networks, side by side: which stages pair up, and at what size they are compared."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from kdrun.errors import UserError
from kdrun.knowledge.layers import check_has_layers, feature
from kdrun.signals import Pair, Signals

Names = tuple[str, ...]


def stage_names(signals: Signals, role: str, suffix: str = "") -> Names:
    """Layers called stage1, stage2, ... (with suffix `_preact`: stage1_preact, ...), by number.

    Raises UserError where the network names none, listing the layers there are.
    """
    numbers = {int(found[1]) for name in signals.features if (found := re.fullmatch(rf"stage(\d+){suffix}", name))}
    check_has_layers(signals, role, f"stage1{suffix}")
    if not numbers:
        there = ", ".join(signals.features)
        raise UserError(f"the {role} names no layers stage1{suffix}, stage2{suffix}, ...; name some of: {there}")
    return tuple(f"stage{number}{suffix}" for number in sorted(numbers))


def paired(pair: Pair, student_layers: Sequence[str], teacher_layers: Sequence[str]) -> tuple[Names, Names]:
    """Both lists of layers as tuples, checked: they are there, are as many, and are not empty.

    Raises UserError for a layer that is not there, and for lists of different lengths: none is dropped
        silently.
    """
    students, teachers = _names(student_layers), _names(teacher_layers)
    if len(students) != len(teachers) or not students:
        raise UserError(
            f"stages do not pair up: the student has {len(students)} ({', '.join(students)}), the teacher "
            f"{len(teachers)} ({', '.join(teachers)}); name as many in student_layers as in teacher_layers"
        )
    for student, teacher in zip(students, teachers, strict=True):
        feature(pair.student, "student", student)
        feature(pair.teacher, "teacher", teacher)
    return students, teachers


def paired_maps(
    pair: Pair,
    student_layers: Sequence[str] | None,
    teacher_layers: Sequence[str] | None,
    *,
    suffix: str = "",
) -> tuple[Names, Names]:
    """As `paired`, for maps; None stands for every stage that the network names (with the suffix).

    Raises UserError also for a layer that is no map.
    """
    students, teachers = paired(
        pair,
        stage_names(pair.student, "student", suffix) if student_layers is None else student_layers,
        stage_names(pair.teacher, "teacher", suffix) if teacher_layers is None else teacher_layers,
    )
    for student, teacher in zip(students, teachers, strict=True):
        map_of(pair.student, "student", student)
        map_of(pair.teacher, "teacher", teacher)
    return students, teachers


def over_pairs(
    loss: Callable[[Tensor, Tensor], Tensor], student: Signals, teacher: Signals, layers: tuple[Names, Names]
) -> Tensor:
    """The sum of a loss of two maps over pairs of layers, a scalar ()."""
    pairs = zip(*layers, strict=True)
    return torch.stack([loss(student.features[own], teacher.features[taught]) for own, taught in pairs]).sum()


def map_of(signals: Signals, role: str, layer: str) -> Tensor:
    """The feature at a named layer of a `Pair`, which must be a map (B, C, H, W).

    Raises UserError where the layer is absent or is no map.
    """
    value = feature(signals, role, layer)
    if value.ndim != 4:
        shape = " x ".join(map(str, value.shape[1:]))
        raise UserError(f"the {role}'s layer {layer!r} is no map of channels x height x width, it is {shape}")
    return value


def last_stage(signals: Signals, role: str, layer: str | None) -> str:
    """The layer that is named; None stands for the network's last stage."""
    return stage_names(signals, role)[-1] if layer is None else layer


def as_map(value: Tensor) -> Tensor:
    """A vector (B, D) as a map (B, D, 1, 1); a map as it is."""
    return value if value.ndim == 4 else value[:, :, None, None]


def same_size(student: Tensor, teacher: Tensor) -> tuple[Tensor, Tensor]:
    """Two maps at the smaller of their heights and widths, the larger map averaged over bins."""
    height, width = (min(one, other) for one, other in zip(student.shape[2:], teacher.shape[2:], strict=True))
    return pooled_to(student, (height, width)), pooled_to(teacher, (height, width))


def pooled_to(value: Tensor, size: tuple[int, int]) -> Tensor:
    """A map (B, C, H, W) averaged over bins to `size`; as it is where it has that size."""
    return value if value.shape[2:] == size else F.adaptive_avg_pool2d(value, size)


def _names(layers: Sequence[str]) -> Names:
    """A single name may stand for a list of one: `student_layers=stage3`."""
    return (layers,) if isinstance(layers, str) else tuple(layers)
