"""`kdrun runs`."""

from __future__ import annotations

from pathlib import Path

import click

from kdrun.cli.console import outputs_option


@click.command(short_help="List what the store holds.")
@outputs_option
def runs(outputs: str) -> None:
    """List the runs under the outputs folder: finished, begun, failed, or damaged.

    \b
    kdrun runs
    kdrun runs --outputs elsewhere
    """
    from rich.markup import escape
    from rich.table import Table

    from kdrun.cli.console import result_console
    from kdrun.runs.store import Store, summaries

    table = Table(box=None, pad_edge=False, header_style="dim")
    for column in ("run", "what", "state", "test accuracy %", "trained s"):
        numeric = column.endswith(("%", "s")) and column != "state"
        table.add_column(column, justify="right" if numeric else "left", overflow="fold")
    listed = summaries(Store(Path(outputs)))
    for summary in listed:
        table.add_row(*map(escape, summary))
    console = result_console()
    if listed:
        console.print(table)
    console.print(f"{len(listed)} runs in {Path(outputs) / 'runs'}", highlight=False, soft_wrap=True, markup=False)
