"""Shows a page that was written."""

from __future__ import annotations

import webbrowser
from pathlib import Path

import click

from kdrun.errors import UserError

open_option = click.option("--open", "open_page", is_flag=True, help="Open the page in the browser.")


def show_page(path: Path) -> None:
    """Opens a page in the user's browser. Raises UserError where there is none."""
    if not webbrowser.open(path.resolve().as_uri()):
        raise UserError(f"no browser could be started; open {path} yourself")
