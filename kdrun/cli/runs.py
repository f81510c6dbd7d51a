"""`kdrun runs`."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from kdrun.cli.console import outputs_option

if TYPE_CHECKING:
    from kdrun.runs.cache_folder import CacheFolder
    from kdrun.runs.folder import RunFolder

DAMAGED = 1  # the exit code of --verify where it finds something


@click.command(short_help="List what the store holds, or verify it.")
@click.option(
    "--verify", is_flag=True, help="Read every file of the runs and the cache, and name those that are damaged."
)
@outputs_option
@click.pass_context
def runs(context: click.Context, outputs: str, verify: bool) -> None:
    """List the runs under the outputs folder: finished, begun, failed, or damaged.

    With --verify every file of the runs and of the cache is read and compared with its digest. There is a line for each
    that is damaged, with what to do about it, and the exit code is then 1.

    \b
    kdrun runs
    kdrun runs --outputs elsewhere
    kdrun runs --verify
    """
    if not verify:
        _list(Path(outputs))
    elif _verify(Path(outputs)):
        context.exit(DAMAGED)


def _list(outputs: Path) -> None:
    from rich.markup import escape
    from rich.table import Table

    from kdrun.cli.console import result_console
    from kdrun.runs.store import Store, summary

    table = Table(box=None, pad_edge=False, header_style="dim")
    for column in ("run", "what", "state", "test accuracy %", "trained s"):
        numeric = column.endswith(("%", "s")) and column != "state"
        table.add_column(column, justify="right" if numeric else "left", overflow="fold")
    listed = [summary(folder) for folder in Store(outputs).folders()]
    for one in listed:
        table.add_row(*map(escape, one))
    console = result_console()
    if listed:
        console.print(table)
    console.print(f"{len(listed)} runs in {outputs / 'runs'}", highlight=False, soft_wrap=True, markup=False)


def _verify(outputs: Path) -> int:
    """Verifies a store, prints what it finds, and returns how many files are damaged."""
    from kdrun.experiment.caching import megabytes
    from kdrun.runs.folder import RunFolder
    from kdrun.runs.store import Store
    from kdrun.runs.verify import verified

    every, damaged, commands = [], 0, _commands(outputs)
    for folder, found in verified(Store(outputs)):
        every.append((isinstance(folder, RunFolder), found))
        for path in found.damaged:
            click.echo(f"{path}: damaged or missing; {_remedy(folder, path, commands)}")
            damaged += 1
    new = [(is_run, found) for is_run, found in every if not found.is_of_0_1]
    runs = sum(is_run for is_run, _ in new)
    files, nbytes = sum(found.files for _, found in new), sum(found.nbytes for _, found in new)
    old = f"; {len(every) - len(new)} folders of kdrun 0.1, which have no digests" if len(every) > len(new) else ""
    click.echo(
        f"{runs} runs and {len(new) - runs} folders of the cache, {files} files, {megabytes(nbytes)} verified{old}: "
        f"{damaged} damaged"
    )
    return damaged


def _remedy(folder: RunFolder | CacheFolder, path: Path, commands: Mapping[str, str]) -> str:
    """What to do about a damaged file, in words."""
    from kdrun.runs.cache_folder import CacheFolder
    from kdrun.runs.folder import METRICS

    name = folder.path.name
    if isinstance(folder, CacheFolder):
        return f"it is made again when it is needed, or type: kdrun cache clear {name}"
    if path.name == METRICS and not folder.is_finished:
        return "it is restored from the state by the command that began the run"
    if name in commands:
        return f"to train the run again, type: {commands[name]} --retrain-damaged"
    return "to train the run again, add --retrain-damaged to the kdrun distill, sweep or train-teacher that made it"


def _commands(outputs: Path) -> dict[str, str]:
    """The command of the newest report that each run is part of, by the run's id."""
    commands: dict[str, str] = {}
    for path in sorted(outputs.glob("reports/*/report.json"), key=lambda path: path.stat().st_mtime):
        try:
            report = json.loads(path.read_text(encoding="utf-8"))
            command = shlex.split(report["command"])
            if command[:1] == ["kdrun"] and report["command"].isprintable():  # a store may come from anybody
                commands |= dict.fromkeys(report["runs"], shlex.join(command))
        except (OSError, ValueError, KeyError, TypeError, AttributeError):  # a report may be damaged, too
            continue
    return commands
