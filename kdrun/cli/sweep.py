"""`kdrun sweep`."""

from __future__ import annotations

from typing import Any

import click

from kdrun.cli.overrides import takes_overrides


@click.command(short_help="Compare many settings; teacher and baselines are shared.")
@takes_overrides
def sweep(**given: Any) -> None:
    """Distill at every point of a grid; the runs that points share are trained once.

    An override with several values spans the grid: `tau=1,2,4`, `tau=range(1,9)`,
    `student=glob(resnet*)`. Without one, the temperatures 1, 2, 4, 8 and 16.

    \b
    kdrun sweep
    kdrun sweep tau=1,2,4,8,16 alpha=0.5,0.9
    kdrun sweep student=mlp30,mlp64 seeds=[0,1,2,3,4]
    kdrun sweep knowledge=response/kd,response/logit_mse
    """
    from kdrun.cli.carry_out import compare
    from kdrun.cli.points import grid

    compare("sweep", grid(**given), **given)
