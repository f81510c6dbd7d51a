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
    for note in dict.fromkeys(
        _without_meaning(config, point) for (config, _), point in zip(composed, points, strict=True)
    ):
        if note:
            click.echo(note, err=True)
    return composed


def _without_meaning(config: Config, point: Point) -> str:
    """A line where alpha was typed and no knowledge term of the point is mixed; else empty."""
    typed = [one.key for one in point if one.key.partition(".")[0] in ("alpha", "alpha_schedule")]
    if not typed or has_mixed(config.knowledge):
        return ""
    names, weights = "+".join(config.knowledge), ", ".join(f"knowledge.{name}.weight" for name in config.knowledge)
    return (
        f"{typed[0]} has no meaning for knowledge {names}, which is added to the labels' loss with its own weight "
        f"({weights}): points that differ in {typed[0]} alone are one"
    )


def settled(config: Config) -> Config:
    """The configuration with what `precision=auto` means on its device."""
    if config.precision != "auto":
        return config
    from kdrun.training.precision import choose_device, choose_precision

    return replace(config, precision=choose_precision(config.precision, choose_device(config.device)))
