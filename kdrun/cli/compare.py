"""`kdrun compare`."""

from __future__ import annotations

from pathlib import Path
from string import ascii_uppercase

import click
from click.shell_completion import CompletionItem

from kdrun.cli.console import outputs_option


def _complete(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    outputs = Path(ctx.params.get("outputs") or "outputs")
    reports = {path.parent.name for path in outputs.glob("reports/*/report.json")}
    runs = {path.parent.name for path in outputs.glob("runs/*/result.json")}
    typed = ctx.params.get("names") or ()
    return [
        CompletionItem(name) for name in sorted(reports | runs) if name.startswith(incomplete) and name not in typed
    ]


@click.command(short_help="Set reports or runs side by side; pair what may be paired.")
@click.argument("names", nargs=-1, metavar="A B...", shell_complete=_complete)
@click.option("--to", type=click.Path(path_type=Path), metavar="DIR", help="Write the tables there.")
@outputs_option
def compare(names: tuple[str, ...], to: Path | None, outputs: str) -> None:
    """Set reports or runs side by side in one table, whatever command, folder or machine they come from.

    A and B are names of reports, run ids, the beginning of either, or folders. The students of B and
    later ones are paired seed by seed with the student of A (of several points the selected one) where
    data, split, network, budget and training examples are the same; else a line says what differs.

    \b
    kdrun compare distill-mlp300-mlp64-mnist5k-1a2b3c4d distill-mlp300-mlp64-mnist5k-5e6f7a8b
    kdrun compare student-mlp64-mnist5k-1a2 student-mlp64-mnist5k-3b4
    kdrun compare outputs/reports/distill-mlp300-mlp64-mnist5k-1a2b3c4d /mnt/other/outputs/reports/sweep-x
    """
    from kdrun.cli.console import result_console
    from kdrun.cli.reporting import folders_of
    from kdrun.reports.side_by_side import name_of, side_by_side, table, write_side_by_side
    from kdrun.reports.sides import read_side

    folders = folders_of(names, outputs)
    compared = side_by_side(
        [read_side(folder, letter) for folder, letter in zip(folders, ascii_uppercase, strict=False)]
    )
    folder = to or Path(outputs) / "reports" / name_of(compared.sides)
    write_side_by_side(compared, folder)
    console = result_console()
    console.print(table(compared))
    console.print(f"\n{folder}/", highlight=False, soft_wrap=True, markup=False)
