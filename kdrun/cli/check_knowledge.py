"""`kdrun check-knowledge`."""

from __future__ import annotations

from pathlib import Path

import click
from click.shell_completion import CompletionItem

from kdrun.cli.overrides import Override
from kdrun.config import files
from kdrun.errors import UserError


def _complete(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    folders = [Path(folder) for folder in ctx.params.get("config_dir") or ()]
    try:
        names = files.groups(folders)["knowledge"]
    except UserError:
        return []
    return [
        CompletionItem(name, help=files.first_comment("knowledge", name, folders))
        for name in names
        if name.startswith(incomplete)
    ]


@click.command("check-knowledge", short_help="Check a loss, your own too, before you trust it.")
@click.argument("name", required=False, shell_complete=_complete)
@click.argument("overrides", nargs=-1, type=Override(), metavar="[KEY=VALUE]...")
@click.option(
    "--config-dir",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Add a folder of your own YAML files, laid out like conf/. May be given more than once.",
)
@click.pass_context
def check_knowledge(
    ctx: click.Context, name: str | None, overrides: tuple[str, ...], config_dir: tuple[Path, ...]
) -> None:
    """Try the knowledge term NAME on made-up signals: is it 0 where student and teacher agree, are its
    gradients right, does it leave the teacher alone, does it stay finite? Without a NAME, every term.

    A loss of your own needs a file DIR/knowledge/mine/NAME.yaml that begins with
    `# @package knowledge.NAME` and says `_target_: my_module.MyLoss`. Exit code 1 where a property fails.

    \b
    kdrun check-knowledge response/kd
    kdrun check-knowledge response/kd knowledge.kd.tau=8
    kdrun check-knowledge mine/my_loss --config-dir my_conf
    kdrun check-knowledge
    """
    from kdrun.cli.checking import chosen_terms, print_checks

    if name is not None and "=" in name:
        overrides, name = (name, *overrides), None
    if not print_checks(chosen_terms(name, overrides, config_dir)):
        ctx.exit(1)
