"""`kdrun train-teacher`."""

from __future__ import annotations

from typing import Any

import click

from kdrun.cli.overrides import takes_overrides


@click.command("train-teacher", short_help="Train a teacher.")
@takes_overrides
def train_teacher(**given: Any) -> None:
    """Train the teacher that `kdrun distill` with the same overrides would use.

    \b
    kdrun train-teacher
    kdrun train-teacher teacher.members=5
    kdrun train-teacher teacher=resnet20 dataset=cifar10 train.teacher.epochs=60
    """
    from kdrun.cli.carry_out import teach
    from kdrun.cli.points import single

    teach(single("train-teacher", **given), **given)
