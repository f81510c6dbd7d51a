"""`kdrun cache list` and `kdrun cache clear`."""

from __future__ import annotations

from difflib import get_close_matches
from pathlib import Path

import click
from click.shell_completion import CompletionItem

from kdrun.cli.console import outputs_option
from kdrun.errors import UserError


def _complete(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    from kdrun.runs.cache import Cache

    there = Cache(Path(ctx.params.get("outputs") or "outputs")).folders()
    return [CompletionItem(folder.path.name) for folder in there if folder.path.name.startswith(incomplete)]


@click.group(short_help="List or drop what is kept of what teachers said.")
def cache() -> None:
    """List or drop what is kept of what teachers said (cache=auto, table or schedule of the other
    commands). Whatever is dropped is made again where it is needed; results stay the same.

    \b
    kdrun cache list
    kdrun cache clear
    """


@cache.command("list", short_help="List what is kept.")
@outputs_option
def list_(outputs: str) -> None:
    """List the tables and schedules under the outputs folder.

    \b
    kdrun cache list
    kdrun cache list --outputs elsewhere
    """
    from rich.markup import escape
    from rich.table import Table

    from kdrun.cli.console import result_console
    from kdrun.experiment.caching import megabytes
    from kdrun.runs.cache import Cache, summary

    kept = Cache(Path(outputs))
    listed = [summary(folder) for folder in kept.folders()]
    table = Table(box=None, pad_edge=False, header_style="dim")
    for column in ("name (kind-teacher-data)", "teacher", "holds", "size", "written (UTC)"):
        whole = column.startswith("name")  # to be typed again
        table.add_column(column, justify="right" if column == "size" else "left", overflow="fold", no_wrap=whole)
    for one in listed:
        table.add_row(*map(escape, (one.name, one.teacher, one.holds, megabytes(one.nbytes), one.made)))
    console = result_console()
    if listed:
        console.print(table, highlight=False)
    total = megabytes(sum(one.nbytes for one in listed))
    console.print(f"{len(listed)} in {kept.root}, {total}", highlight=False, soft_wrap=True, markup=False)


@cache.command(short_help="Drop what is kept.")
@click.argument("names", nargs=-1, metavar="[NAME]...", shell_complete=_complete)
@outputs_option
def clear(names: tuple[str, ...], outputs: str) -> None:
    """Drop the tables and schedules with these NAMEs; without one, all of them.

    \b
    kdrun cache clear
    kdrun cache clear table-mlp300-mnist5k-1a2b3c4d5e6f
    """
    from kdrun.experiment.caching import megabytes
    from kdrun.runs.cache import Cache, drop

    kept = Cache(Path(outputs))
    there = {folder.path.name: folder for folder in kept.folders()}
    for name in names:
        if name not in there:
            close = get_close_matches(name, there, n=1, cutoff=0.3)
            raise UserError(f"no {name!r} in {kept.root}; " + (f"did you mean {close[0]}?" if close else "it is empty"))
    chosen = list(dict.fromkeys(names or there))
    freed = {name: drop(there[name]) for name in chosen}
    dropped = [size for size in freed.values() if size is not None]
    click.echo(f"dropped {len(dropped)} of {len(there)} in {kept.root}, {megabytes(sum(dropped))} freed")
    if busy := [name for name, size in freed.items() if size is None]:
        raise UserError(f"{', '.join(busy)}: a process is writing there; stop it, or clear again when it is done")
