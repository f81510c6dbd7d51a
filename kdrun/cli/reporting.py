"""Finds report folders, makes them, and prints them."""

from __future__ import annotations

from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING

from kdrun.errors import UserError

MOST_COMPARED = 26  # letters

if TYPE_CHECKING:
    from collections.abc import Sequence

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


def folders_of(names: Sequence[str], outputs: str) -> list[Path]:
    """The folders of reports and finished runs: each a path, or a name or the only one that begins so.

    Raises UserError for fewer than two or too many, for one that is named twice, and where there is none.
    """
    if not 2 <= len(names) <= MOST_COMPARED:
        raise UserError(f"`kdrun compare` takes 2 to {MOST_COMPARED} reports or runs, got {len(names)}")
    folders = [_folder(name, Path(outputs)) for name in names]
    for number, folder in enumerate(folders):
        if folder.resolve() in [earlier.resolve() for earlier in folders[:number]]:
            raise UserError(f"{names[number]} is named twice; name each report or run once")
    return folders


def _folder(name: str, outputs: Path) -> Path:
    from kdrun.runs.finding import named
    from kdrun.runs.store import Store

    if any((Path(name) / file).is_file() for file in ("report.json", "result.json")):
        return Path(name)
    if "/" in name:
        raise UserError(f"{name} holds neither a report.json nor a result.json; name the folder of a report or a run")
    reports = sorted(path.parent for path in (outputs / "reports").glob("*/report.json"))
    found = [path for path in reports if path.name.startswith(name)]
    exact = [path for path in found if path.name == name]
    if len(found) > 1 and not exact:
        raise UserError(f"{name!r} is the beginning of {len(found)} reports ({found[0].name}, ...); type more of it")
    return (exact or found)[0] if found else named(Store(outputs), name).path


def show(folder: Path, console: Console) -> None:
    """Writes a report's tables, pictures and page, prints its table, and last its folder."""
    from kdrun.reports.table import table
    from kdrun.reports.write import write_report

    made = write_report(folder)
    console.print(table(made.comparison, made.missing))
    console.print(f"\n{folder}/", highlight=False, soft_wrap=True, markup=False)
