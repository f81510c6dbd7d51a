"""`kdrun explain`."""

from __future__ import annotations

import re
from pathlib import Path

import click
from click.shell_completion import CompletionItem

from kdrun.cli.opening import open_option
from kdrun.cli.overrides import trust_option

# What of the configuration is not the run's own.
KEYS = ("tau", "alpha", "device", "data_root", "outputs")
KINDS = ("student", "teacher")


def _complete(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    from kdrun.runs.finding import finished
    from kdrun.runs.store import Store

    typed = " ".join(ctx.params.get("words") or ())
    outputs = re.search(r"\boutputs ?= ?(\S+)", typed)  # bash splits words at =
    runs = [folder.path.name for folder in finished(Store(Path(outputs[1] if outputs else "outputs")), KINDS)]
    return [CompletionItem(word) for word in (*runs, *(f"{key}=" for key in KEYS)) if word.startswith(incomplete)]


@click.command(short_help="Show what a temperature brings out of a teacher.")
@click.argument("words", nargs=-1, metavar="[RUN] [KEY=VALUE]...", shell_complete=_complete)
@click.option("--example", type=int, metavar="ID", help="Begin with this test example (its id in predictions.csv).")
@click.option("--text", is_flag=True, help="Print tables instead of writing a page.")
@click.option(
    "--config-dir",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Run the classes of your own that the YAML files of this folder name. May be given more than once.",
)
@trust_option
@open_option
def explain(
    words: tuple[str, ...],
    example: int | None,
    text: bool,
    config_dir: tuple[Path, ...],
    trust: tuple[str, ...],
    open_page: bool,
) -> None:
    """Explore what a teacher knows beyond its answer, on real examples of the test set: its softened
    probabilities at any temperature, their entropy, what they pull the student's logits to, and which
    classes look alike to it. Beside it the baseline and the student, where they differ most first.

    RUN is a distilled run or a teacher: its id, or the beginning of it (`kdrun runs` lists them). Without
    it, the one that was finished last. Writes a page that works without a network, and CSV files, under
    outputs/explain. Takes tau=, alpha= (at first those of the run), device=, data_root=, outputs=.

    A store may come from anybody, so runs with classes of your own need --config-dir or --trust.

    \b
    kdrun explain
    kdrun explain --text tau=8
    kdrun explain student-mlp64-mnist5k-1a2b --open
    kdrun explain outputs=elsewhere --example 1234
    kdrun explain --config-dir my_conf
    """
    from kdrun.cli.explaining import explored, print_tables, write_page

    exploration = explored(words, example, config_dir, trust)
    if text:
        print_tables(exploration)
    else:
        write_page(exploration, open_page=open_page)
