"""Stages of blocks, and the layers they are read at."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from torch import nn

from kdrun.models.taps import Tap


def stages_of(
    block: Callable[[int, int, int], nn.Module],
    in_width: int,
    widths: Iterable[int],
    depths: Iterable[int],
    strides: Iterable[int],
) -> nn.Sequential:
    """One stage for each width: `depth` blocks, of which the first changes the width and has the stride.

    block: makes a block from (width that comes in, width that goes out, stride).
    """
    stages = []
    for width, depth, stride in zip(widths, depths, strides, strict=True):
        repeated = [block(width, width, 1) for _ in range(depth - 1)]
        stages.append(nn.Sequential(block(in_width, width, stride), *repeated))
        in_width = width
    return nn.Sequential(*stages)


def staged_layers(stages: nn.Sequential) -> dict[str, Tap]:
    """The layers of a network with the submodules `stem`, `stages` and `pool`."""
    named = {"stem": Tap("stem")}
    for number, stage in enumerate(stages):
        path = f"stages.{number}"
        named[f"stage{number + 1}"] = Tap(path)
        named[f"stage{number + 1}_preact"] = before_last_relu(stage, path)
    return {**named, "pooled": Tap("pool")}


def before_last_relu(stage: nn.Module, path: str) -> Tap:
    """What enters the ReLU that is the stage's last submodule; the stage's output where it is none."""
    name, last = list(stage.named_modules())[-1]
    return Tap(f"{path}.{name}", "input") if isinstance(last, nn.ReLU) else Tap(path)
