"""`kdrun distill`."""

from __future__ import annotations

from typing import Any

import click

from kdrun.cli.overrides import takes_overrides


@click.command(short_help="Train teacher, baseline and student; compare them.")
@takes_overrides
def distill(**given: Any) -> None:
    """Train or reuse a teacher, train a hard-label baseline, controls and a distilled student for
    every seed, and compare them.

    Baseline and student are the same network with the same budget, seeds and batches. What is already
    in the outputs folder is not trained again; what was cut off goes on.

    \b
    kdrun distill
    kdrun distill tau=4 alpha=0.7 seeds=[0,1,2,3,4]
    kdrun distill dataset=mnist teacher=mlp1200 student=mlp800 train=mnist tau=20 alpha=1
    kdrun distill teacher=resnet20 student=resnet8 dataset=cifar10 --dry-run
    """
    from kdrun.cli.carry_out import compare
    from kdrun.cli.points import single

    compare("distill", single("distill", **given), **given)
