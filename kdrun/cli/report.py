"""`kdrun report`."""

from __future__ import annotations

from pathlib import Path

import click
from click.shell_completion import CompletionItem

from kdrun.cli.console import outputs_option


def _complete(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    made = (Path(ctx.params.get("outputs") or "outputs") / "reports").glob("*/report.json")
    return [CompletionItem(name) for name in sorted(path.parent.name for path in made) if name.startswith(incomplete)]


@click.command(short_help="Make tables and pictures again from the CSV files.")
@click.argument("name", required=False, shell_complete=_complete)
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
