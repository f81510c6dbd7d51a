"""`kdrun report`."""

from __future__ import annotations

import click

from kdrun.cli.console import outputs_option


@click.command(short_help="Make tables and pictures again from the CSV files.")
@click.argument("name", required=False)
@outputs_option
def report(name: str | None, outputs: str) -> None:
    """Make a report again from its CSV files and print it; without a NAME, the latest one.

    \b
    kdrun report
    kdrun report distill-mlp300-mlp64-mnist5k-1a2b3c4d
    kdrun report --outputs elsewhere
    """
    from kdrun.cli.console import result_console
    from kdrun.cli.reporting import find, show

    show(find(outputs, name), result_console())
