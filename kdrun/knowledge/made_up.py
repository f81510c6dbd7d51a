"""Made-up signals on which a knowledge term can be tried without networks or data."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from kdrun.signals import Batch, Pair, Signals

BATCH = 4


def example_pair(student_width: int = 2, teacher_width: int = 3) -> Pair:
    """Two small networks' shapes: stem, stage1 to stage3 (also _preact), pooled; 5 classes, 16 examples."""
    # Neither from 0 nor without gaps, as in a student's share of a data set.
    example_ids = 5 + 3 * torch.arange(16)
    return Pair(_shapes(student_width), _shapes(teacher_width), num_classes=5, example_ids=example_ids)


def signals(shapes: Signals, seed: int, *, size: int = BATCH, leaf: bool = False) -> Signals:
    """Normal float64 values in the given shapes, the same for the same seed; leaf: gradients are wanted."""
    generator = torch.Generator().manual_seed(seed)

    def draw(shape: Tensor) -> Tensor:
        value = torch.randn(size, *shape.shape[1:], dtype=torch.float64, generator=generator)
        return value.requires_grad_(leaf)

    return mapped(shapes, draw)


def batch(pair: Pair, *, size: int = BATCH, repeats: int = 1) -> Batch:
    """The first `size` examples, the whole as often as `repeats` says; their inputs are never looked at."""
    ids = pair.example_ids[:size].repeat(repeats)
    inputs = torch.zeros(len(ids), 1)
    return Batch(inputs, ids % pair.num_classes, ids, torch.zeros_like(ids), epoch=0)


def step(pair: Pair) -> tuple[Signals, Signals, Batch]:
    """What a term is called with: the student's signals, the teacher's, the batch."""
    return signals(pair.student, 1), signals(pair.teacher, 2), batch(pair)


def mapped(signals: Signals, change: Callable[[Tensor], Tensor]) -> Signals:
    """The signals with every tensor changed."""
    return Signals(change(signals.logits), {name: change(value) for name, value in signals.features.items()})


def twice(signals: Signals) -> Signals:
    """The signals of the same batch repeated."""
    return mapped(signals, lambda value: torch.cat([value, value]))


def _shapes(width: int) -> Signals:
    sizes = {
        "stem": (width, 8, 8),
        "stage1": (width, 8, 8),
        "stage2": (2 * width, 4, 4),
        "stage3": (4 * width, 2, 2),
        "pooled": (4 * width,),
    }
    sizes |= {f"{name}_preact": size for name, size in sizes.items() if name.startswith("stage")}
    features = {name: torch.empty(BATCH, *size, device="meta") for name, size in sizes.items()}
    return Signals(torch.empty(BATCH, 5, device="meta"), features)
