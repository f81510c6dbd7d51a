"""From what was typed to checked configurations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from kdrun.cli.saved import with_saved
from kdrun.config.compose import Composer
from kdrun.config.grid import Point, expand, one_point
from kdrun.config.loss_weights import has_mixed
from kdrun.config.schema import Config
from kdrun.plans.build import PointConfig


def single(
    command: str, *, overrides: Sequence[str], experiment: str | None, config_dir: Sequence[Path], **_: Any
) -> list[PointConfig]:
    """The one point of a command that takes no grid. Raises UserError (see `kdrun.config`)."""
    composer = Composer(config_dir)
    texts = with_saved(command, experiment, overrides)
    return _composed(composer, [one_point(texts, composer.groups, command)])


def grid(
    *, overrides: Sequence[str], experiment: str | None, config_dir: Sequence[Path], **_: Any
) -> list[PointConfig]:
    """The points of a sweep; the configuration's own `sweep` where no override names several values."""
    composer = Composer(config_dir)
    texts = with_saved("sweep", experiment, overrides)
    points = expand(texts, composer.groups)
    if not any(setting.is_swept for setting in points[0]):
        typed = {setting.key for setting in points[0]}
        default = composer.config(points[0]).sweep
        points = expand([*texts, *(one for one in default if one.partition("=")[0] not in typed)], composer.groups)
    return _composed(composer, points)


def _composed(composer: Composer, points: Sequence[Point]) -> list[PointConfig]:
    composed = [
        (settled(composer.config(point)), " ".join(setting.text for setting in point if setting.is_swept))
        for point in points
    ]
    _remark_alpha(composed, points)
    return composed


def _remark_alpha(composed: Sequence[PointConfig], points: Sequence[Point]) -> None:
    """Prints a line where alpha was typed beside knowledge that has no mixed term."""
    typed = {one.key for point in points for one in point if one.key.partition(".")[0] in ("alpha", "alpha_schedule")}
    names = dict.fromkeys("+".join(config.knowledge) for config, _ in composed if not has_mixed(config.knowledge))
    if typed and names:
        click.echo(
            f"{', '.join(sorted(typed))} has no meaning for knowledge {', '.join(names)}: added to the labels' loss "
            "with its own weight (knowledge.NAME.weight); points that differ in it alone are one",
            err=True,
        )


def settled(config: Config) -> Config:
    """The configuration with what `precision=auto` means on its device."""
    if config.precision != "auto":
        return config
    from kdrun.training.precision import choose_device, choose_precision

    return replace(config, precision=choose_precision(config.precision, choose_device(config.device)))
