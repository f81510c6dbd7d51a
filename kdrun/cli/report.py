"""`kdrun report`."""

from __future__ import annotations

from pathlib import Path

import click
from click.shell_completion import CompletionItem

from kdrun.cli.console import outputs_option
from kdrun.cli.opening import open_option, show_page


def _complete(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    made = (Path(ctx.params.get("outputs") or "outputs") / "reports").glob("*/report.json")
    return [CompletionItem(name) for name in sorted(path.parent.name for path in made) if name.startswith(incomplete)]


@click.command(short_help="Make tables, pictures and page again from the CSV files.")
@click.argument("name", required=False, shell_complete=_complete)
@outputs_option
@open_option
def report(name: str | None, outputs: str, open_page: bool) -> None:
    """Make a report again from its CSV files and print it; without a NAME, the latest one.

    Its folder holds the same as a page, `report.html`, one file that can be mailed.

    \b
    kdrun report
    kdrun report --open
    kdrun report distill-mlp300-mlp64-mnist5k-1a2b3c4d
    kdrun report --outputs elsewhere
    """
    from kdrun.cli.console import result_console
    from kdrun.cli.reporting import find, show

    folder = find(outputs, name)
    show(folder, result_console())
    if open_page:
        show_page(folder / "report.html")
