"""The command line: one file a command. Importing it imports neither torch, pandas nor Hydra."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

import click

from kdrun import __version__
from kdrun.cli.bench import bench
from kdrun.cli.cache import cache
from kdrun.cli.check_knowledge import check_knowledge
from kdrun.cli.compare import compare
from kdrun.cli.distill import distill
from kdrun.cli.explain import explain
from kdrun.cli.options import options
from kdrun.cli.report import report
from kdrun.cli.runs import runs
from kdrun.cli.sweep import sweep
from kdrun.cli.train_teacher import train_teacher
from kdrun.errors import RunFailed

INTERRUPTED = 130


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="kdrun")
def cli() -> None:
    """Knowledge-distillation experiments: does the teacher help, and by how much?

    \b
    kdrun distill                       a teacher, baselines and students on digits, and a table
    kdrun distill tau=4 alpha=0.7       with your own temperature and weight of the teacher
    kdrun sweep tau=1,2,4,8,16          every temperature, teacher and baselines shared
    kdrun compare A B                   reports or runs side by side, paired where that is fair
    kdrun options student               what student= may be

    \b
    Completion for your shell (zsh and fish likewise):
      eval "$(_KDRUN_COMPLETE=bash_source kdrun)"
    """


COMMANDS = (
    train_teacher,
    distill,
    sweep,
    report,
    compare,
    explain,
    runs,
    cache,
    options,
    check_knowledge,
    bench,
)
for command in COMMANDS:
    cli.add_command(command)


def main(arguments: Sequence[str] | None = None) -> None:
    """The entry point: runs a command and exits with 0, 2 for input to mend, 1 for runs that failed, 130 for Ctrl-C."""
    # Before torch loads OpenMP: threads that wait then sleep instead of spinning. Where other work shares the cores,
    # a small step took 2.3 ms this way and 86 ms the other (2 threads on 2 cores, torch 2.15, medians of 7 x 100).
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    # A user's own classes (`_target_: my_module.MyNet`) are found in the working folder, after everything installed.
    if "" not in sys.path:
        sys.path.append("")
    try:
        sys.exit(cli.main(arguments, prog_name="kdrun", standalone_mode=False))
    except click.ClickException as error:
        sys.exit(_told(error))
    except (click.Abort, KeyboardInterrupt):
        click.echo("Interrupted.", err=True)
        sys.exit(INTERRUPTED)


def _told(error: click.ClickException) -> int:
    message = error.format_message()
    if not isinstance(error, RunFailed):  # which has a line for each run
        message = " ".join(message.split())
    # A store or a data set of somebody else may have names that would move the cursor or colour what follows.
    message = "".join(one if one.isprintable() or one == "\n" else "?" for one in message)
    context = getattr(error, "ctx", None)
    hint = f" (see `{context.command_path} --help`)" if context else ""
    click.echo(f"Error: {message}{hint}", err=True)
    return error.exit_code
