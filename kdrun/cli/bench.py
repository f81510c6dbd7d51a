"""`kdrun bench`: how fast the configured step is beside other loops, a sweep, the start, and as work grows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from kdrun.cli.overrides import takes_settings

STEP = "step"


class WithDefault(click.Group):
    """A group whose first command is meant where none is named: `kdrun bench tau=4`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        # An empty line being completed may still become the name of a command.
        named = args[:1] and (args[0] in self.commands or args[0] in ctx.help_option_names)
        if not named and not (ctx.resilient_parsing and not args):
            args = [STEP, *args]
        return super().parse_args(ctx, args)


@click.group(cls=WithDefault, short_help="Time the training step beside other loops of the same networks.")
def bench() -> None:
    """Time kdrun on this machine. Nothing is written to the outputs folder; teachers are untrained.

    \b
    kdrun bench                                        the default step (kdrun bench step --help)
    kdrun bench dataset=cifar10 teacher=resnet56 student=resnet20 train=cifar precision=bf16
    kdrun bench sweep --k 8                            8 temperatures side by side
    kdrun bench startup                                what commands cost before they train
    kdrun bench scaling                                twice, 4 and 8 times the work

    Ratios are taken within rounds in which everything is timed in turns. Say OMP_NUM_THREADS=1 for one thread.
    """


def _reports(rounds: int, seconds: float | None) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Adds the options of every bench. seconds: None where a bench takes as long as it takes."""
    options = [
        click.option("--rounds", default=rounds, show_default=True, type=click.IntRange(1), help="Timed rounds."),
        click.option("--json", "as_json", is_flag=True, help="Print one JSON object on one line."),
        click.option("-q", "--quiet", is_flag=True, help="No progress, only the result."),
    ]
    if seconds is not None:
        options[1:1] = [
            click.option(
                "--seconds",
                default=seconds,
                show_default=True,
                type=click.FloatRange(0, min_open=True),
                help="About how long each loop trains in a round.",
            )
        ]

    def add(command: Callable[..., Any]) -> Callable[..., Any]:
        for option in reversed(options):
            command = option(command)
        return command

    return add


@bench.command(STEP, short_help="The configured step; meant where no command is named.")
@takes_settings
@_reports(rounds=5, seconds=1.0)
@click.option(
    "--workers", default=0, show_default=True, type=click.IntRange(0), help="Worker processes of the peers' DataLoader."
)
def step(**given: Any) -> None:
    """Time the configured distillation step, and say where its time goes.

    In turns with it: a bare PyTorch loop on the same resident data, in the same precision and memory
    format; a DataLoader-and-PIL loop as public repositories write it, in float32; and torchdistill where
    it is installed (pip install 'kdrun[bench]').

    \b
    kdrun bench                  (the same as kdrun bench step)
    kdrun bench step teacher=mlp1200 student=mlp30 train.student.batch_size=128 --rounds 9
    """
    from kdrun.cli.benching import time_step

    time_step(**given)


@bench.command(short_help="Students side by side, as a share of each on its own.")
@takes_settings
@_reports(rounds=5, seconds=0.5)
@click.option("--k", default=8, show_default=True, type=click.IntRange(2), help="Students, each with its own tau.")
def sweep(**given: Any) -> None:
    """Time one step of K students side by side, as a share of one step of each on its own.

    The students differ in tau (1, 2, ... K). On its own, each has its own teacher pass and no cache.

    \b
    kdrun bench sweep --k 8
    kdrun bench sweep --k 8 teacher=conv_m student=conv_s
    """
    from kdrun.cli.benching import time_sweep

    time_sweep(**given)


@bench.command(short_help="What commands cost before they train.")
@takes_settings
@_reports(rounds=5, seconds=None)
def startup(**given: Any) -> None:
    """Time cold starts: help, a typing mistake, a dry run, a one-epoch distill, and the same again.

    Each is a process of its own with an empty outputs folder. For the distill, where its time goes.

    \b
    kdrun bench startup
    kdrun bench startup --rounds 3 --json
    """
    from kdrun.cli.benching import time_startup

    time_startup(**given)


@bench.command(short_help="Twice, 4 and 8 times the points, examples and epochs.")
@takes_settings
@_reports(rounds=1, seconds=None)
@click.option("--points", default=2, show_default=True, type=click.IntRange(1), help="Temperatures at factor 1.")
@click.option("--examples", default=400, show_default=True, type=click.IntRange(1), help="train_size at factor 1.")
@click.option("--epochs", default=10, show_default=True, type=click.IntRange(1), help="Students' epochs at factor 1.")
def scaling(**given: Any) -> None:
    """Time sweeps of 1, 2, 4 and 8 times the points, the examples and the epochs.

    Each is `kdrun sweep` in a process of its own. The seconds are those that the students trained; memory is the
    process's peak.

    \b
    kdrun bench scaling
    kdrun bench scaling teacher=mlp1200 student=mlp30 --rounds 3
    """
    from kdrun.cli.benching import time_scaling

    time_scaling(**given)
