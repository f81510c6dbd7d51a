"""Finds report folders, makes them, and prints them."""

from __future__ import annotations

from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING

from kdrun.errors import UserError

if TYPE_CHECKING:
    from rich.console import Console


def find(outputs: str, name: str | None) -> Path:
    """The folder of a report, or of the latest one. Raises UserError where there is none."""
    if name is not None and name.startswith("outputs="):
        raise UserError(f"{name}: `kdrun report` takes the folder as --outputs {name.removeprefix('outputs=')}")
    root = Path(outputs) / "reports"
    made = sorted(root.glob("*/report.json"), key=lambda path: path.stat().st_mtime)
    names = [path.parent.name for path in made]
    if not names:
        raise UserError(f"no report under {root}; make one with `kdrun distill`, or name the folder with --outputs")
    if name is None:
        return made[-1].parent
    if name not in names:
        close = get_close_matches(name, names, n=1, cutoff=0.3)
        raise UserError(f"no report {name!r} under {root}" + (f"; did you mean {close[0]}?" if close else ""))
    return root / name


def show(folder: Path, console: Console) -> None:
    """Writes a report's tables, pictures and page, prints its table, and last its folder."""
    from kdrun.reports.table import table
    from kdrun.reports.write import write_report

    made = write_report(folder)
    console.print(table(made.comparison, made.missing))
    console.print(f"\n{folder}/", highlight=False, soft_wrap=True, markup=False)
