"""The KEY=VALUE arguments of a command, with completion of groups, options and keys; and the options beside them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem

from kdrun.config import files
from kdrun.errors import UserError


class Override(click.ParamType):  # type: ignore[type-arg]
    """One KEY=VALUE. Read by `kdrun.config.grid`; here it is only completed."""

    name = "override"

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        folders = [Path(folder) for folder in ctx.params.get("config_dir") or ()]
        typed = list(ctx.params.get("overrides") or ())
        try:
            opened = _open_key(typed, incomplete, folders)
            if opened is not None:
                return _options(opened, "", incomplete, folders)
            if "=" in incomplete:
                key, _, begun = incomplete.partition("=")
                return _options(key, f"{key}=", begun, folders)
            return _keys(incomplete, folders)
        except UserError:
            return []


def _open_key(typed: list[str], begun: str, folders: list[Path]) -> str | None:
    """The key whose value is being typed where bash has split the words at =, as in `tau = 4`; None at a new key."""
    if typed[-1:] == ["="]:
        return typed[-2] if len(typed) > 1 else None
    is_value = typed[-2:-1] == ["="]
    # Of `student =` click passes on the = as an empty word.
    if typed and not begun and not is_value and typed[-1] in files.groups(folders):
        return typed[-1]
    return None


def _options(group: str, prefix: str, begun: str, folders: list[Path]) -> list[CompletionItem]:
    return [
        CompletionItem(prefix + option, help=files.first_comment(group, option, folders))
        for option in files.groups(folders).get(group, ())
        if option.startswith(begun)
    ]


def _keys(begun: str, folders: list[Path]) -> list[CompletionItem]:
    from kdrun.config.compose import Composer

    composer = Composer(folders)
    known = [*composer.groups, *composer.keys()]
    return [CompletionItem(f"{key}=") for key in dict.fromkeys(known) if key.startswith(begun)]


def _experiments(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    saved = sorted(path.stem for path in files.experiments_dir().glob("*.yaml"))
    return [CompletionItem(name) for name in saved if name.startswith(incomplete)]


_SETTINGS = click.argument("overrides", nargs=-1, type=Override(), metavar="[KEY=VALUE]...")
_CONFIG_DIR = click.option(
    "--config-dir",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Add a folder of your own YAML files, laid out like conf/. May be given more than once.",
)
trust_option = click.option(
    "--trust",
    multiple=True,
    metavar="MODULE",
    help="Run classes of this module that finished runs name (or this one class, by its full name); those that "
    "--config-dir names are trusted already. May be given more than once.",
)


def takes_settings(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds the arguments of a command that takes a configuration and trains nothing to keep."""
    return _SETTINGS(_CONFIG_DIR(trust_option(command)))


def takes_overrides(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds the arguments and options that every training command takes."""
    parameters = (
        _SETTINGS,
        click.option(
            "-e",
            "--experiment",
            metavar="NAME",
            shell_complete=_experiments,
            help="Begin with a saved command line of experiments/.",
        ),
        _CONFIG_DIR,
        trust_option,
        click.option("--dry-run", is_flag=True, help="Print the configuration and the plan; train and write nothing."),
        click.option(
            "--retrain-damaged",
            is_flag=True,
            help="Set runs with damaged files aside, and train them again.",
        ),
        click.option("-q", "--quiet", is_flag=True, help="No progress, only the result."),
        click.option(
            "--json",
            "as_json",
            is_flag=True,
            help="For programs: one JSON object a line on stdout in place of progress and result.",
        ),
    )
    for parameter in reversed(parameters):
        command = parameter(command)
    return command
