"""The explorer's files."""

from __future__ import annotations

from pathlib import Path

from kdrun.explorer.page import page
from kdrun.explorer.rows import class_rows, example_rows, similarity_rows
from kdrun.explorer.view import View
from kdrun.runs import atomic
from kdrun.runs.folder import to_csv


def write_explorer(view: View, folder: Path, command: str) -> Path:
    """Writes explain.html, and as CSV what it shows; returns the page's path.

    command: how to make it again, as it was typed.
    Raises UserError where the folder cannot be written; each file is written whole or not at all.
    """
    atomic.make_folder(folder)
    tables = {
        "examples": [row for one in view.chosen for row in example_rows(view, one.row)],
        "classes": [row for one in view.chosen for row in class_rows(view, one.row)],
        "similarity": list(similarity_rows(view, view.kept_taus or (view.tau,))),
    }
    for name, rows in tables.items():
        atomic.write_text(folder / f"{name}.csv", to_csv(rows))
    atomic.write_text(folder / "explain.html", page(view, command))
    return folder / "explain.html"
