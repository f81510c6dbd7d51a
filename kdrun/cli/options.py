"""`kdrun options`."""

from __future__ import annotations

from pathlib import Path

import click
from click.shell_completion import CompletionItem

from kdrun.config import files
from kdrun.errors import UserError


def _complete(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    return [CompletionItem(group) for group in files.groups() if group.startswith(incomplete)]


@click.command(short_help="List the groups, or the options of a group.")
@click.argument("group", required=False, shell_complete=_complete)
@click.option(
    "--config-dir",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Count a folder of your own YAML files too.",
)
def options(group: str | None, config_dir: tuple[Path, ...]) -> None:
    """List the groups of the configuration, or the options of one GROUP with what they are.

    \b
    kdrun options
    kdrun options student
    kdrun options knowledge
    """
    groups = files.groups(config_dir)
    if group is None:
        width = max(map(len, groups))
        for name, names in groups.items():
            click.echo(f"{name:{width}}  {', '.join(names)}")
        return
    if group not in groups:
        raise UserError(f"no group {group!r}; the groups are {', '.join(groups)}")
    width = max(map(len, groups[group]))
    comments = {option: files.first_comment(group, option, config_dir) for option in groups[group]}
    for option, comment in comments.items():
        click.echo(f"{option:{width}}  {comment}".rstrip())
