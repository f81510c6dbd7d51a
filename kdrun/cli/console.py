"""The two consoles: results on stdout, progress on stderr."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from rich.console import Console

# Wide enough for a table's rows where nobody says how wide the output is (a pipe, a file).
PIPED_WIDTH = 100

outputs_option = click.option(
    "--outputs",
    default="outputs",
    show_default=True,
    metavar="DIR",
    help="The outputs folder (outputs=DIR of the other commands).",
)


def result_console() -> Console:
    """Where results are printed."""
    from rich.console import Console

    console = Console()
    return console if console.is_terminal or "COLUMNS" in os.environ else Console(width=PIPED_WIDTH)


def progress_console() -> Console:
    """Where progress is shown."""
    from rich.console import Console

    return Console(stderr=True)
