"""Learning-rate schedules of the recipes: torch's own, given the length of the run. They step once an update."""

from __future__ import annotations

from collections.abc import Sequence

from torch.optim import Optimizer
from torch.optim.lr_scheduler import ConstantLR, CosineAnnealingLR, LRScheduler, MultiStepLR, OneCycleLR


def one_cycle(optimizer: Optimizer, *, epochs: int, steps_per_epoch: int) -> LRScheduler:
    """Up to the optimiser's rate over the first 30 % of the steps and down again; momentum the other way.

    Source: Smith & Topin 2017, arXiv:1708.07120.
    """
    rates = [float(group["lr"]) for group in optimizer.param_groups]
    return OneCycleLR(optimizer, max_lr=rates, total_steps=epochs * steps_per_epoch)


def cosine(optimizer: Optimizer, *, epochs: int, steps_per_epoch: int) -> LRScheduler:
    """Half a cosine from the optimiser's rate to 0 (Loshchilov & Hutter 2016, arXiv:1608.03983, without restarts)."""
    return CosineAnnealingLR(optimizer, T_max=epochs * steps_per_epoch)


def multistep(
    optimizer: Optimizer, *, epochs: int, steps_per_epoch: int, milestones: Sequence[int], gamma: float
) -> LRScheduler:
    """The optimiser's rate, times `gamma` after each of the epochs in `milestones`."""
    return MultiStepLR(optimizer, [epoch * steps_per_epoch for epoch in milestones], gamma)


def constant(optimizer: Optimizer, *, epochs: int, steps_per_epoch: int) -> LRScheduler:
    """The optimiser's rate throughout."""
    return ConstantLR(optimizer, factor=1.0, total_iters=0)
