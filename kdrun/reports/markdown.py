"""The report as a Markdown page."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from pandas import DataFrame

from kdrun.reports import wording
from kdrun.reports.blocks import COLUMNS, Block, Line, blocks
from kdrun.reports.definitions import DEFINITIONS
from kdrun.reports.sentences import sentences


def markdown(
    comparison: DataFrame,
    notes: Mapping[str, Any],
    seeds: Sequence[int],
    pictures: Sequence[str],
    missing: Sequence[str] = (),
) -> str:
    """The page: tables, sentences, picture, where it comes from, how each number is defined.

    comparison: as `comparison.comparison` gives it. Names in it are shown as text, never as markup.
    notes: `report.json`: name, command, created, version.
    seeds: of the students, as planned.
    pictures: file names beside the page.
    missing: a line for each thing that `runs.csv` lacks.
    """
    quote = wording.markdown
    parts = [
        f"# {quote(notes['name'])}",
        *(f"Missing: {quote(line)}." for line in missing),
        *(_block(block) for block in blocks(comparison, quote)),
        *sentences(comparison, quote),
        *(f"![Gain over the baseline at each point]({picture})" for picture in pictures),
        "## How it was made",
        _fenced(notes["command"]),
        f"Created {quote(notes['created'])} by kdrun {quote(notes['version'])}; "
        f"seeds {', '.join(map(str, seeds))}. Made from `runs.csv`; all numbers are in `comparison.csv`.",
        "## How each number is defined",
        "\n".join(f"* {one.term}: {one.text}" for one in DEFINITIONS),
    ]
    return "\n\n".join(parts) + "\n"


def _block(block: Block) -> str:
    title = "\\\n".join(block.title)
    header = ["", *(column.head for column in COLUMNS)]
    rows = [header, ["---", *("---:" if column.is_number else "---" for column in COLUMNS)], *map(_cells, block.lines)]
    grid = "\n".join(f"| {' | '.join(row)} |" for row in rows)
    return "\n\n".join(part for part in (title, grid, "\\\n".join(block.notes)) if part)


def _cells(line: Line) -> list[str]:
    name = f"{line.name} \\*" if line.selected else line.name
    return [name, *(getattr(line, column.key) for column in COLUMNS)]


def _fenced(command: str) -> str:
    """The command as it was typed, in a fence that no run of backticks within it can close."""
    longest = max((len(run) for run in re.findall("`+", command)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}sh\n{command}\n{fence}"
