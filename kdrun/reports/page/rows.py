"""The rows of the page's table: cells with the numbers that they are sorted by."""

from __future__ import annotations

from typing import NamedTuple

from kdrun.reports.blocks import COLUMNS, Block, Line

REFERENCES = ("teacher", "baseline")  # stay above the rows that are sorted


class Cell(NamedTuple):
    """text: as in the other forms of the report; value: what it is sorted by, "" for none, None for a text."""

    text: str
    value: str | None
    style: str


class Shown(NamedTuple):
    """A line of the table."""

    role: str
    name: str
    selected: bool
    cells: tuple[Cell, ...]


class Table(NamedTuple):
    """A block with its lines in two bodies."""

    title: tuple[str, ...]
    references: list[Shown]
    compared: list[Shown]
    notes: tuple[str, ...]


def shown(block: Block) -> Table:
    """A block of the report, to be written by the template."""
    references = [_shown(line) for line in block.lines if line.role in REFERENCES]
    compared = [_shown(line) for line in block.lines if line.role not in REFERENCES]
    return Table(block.title, references, compared, block.notes)


def _shown(line: Line) -> Shown:
    return Shown(line.role, line.name, line.selected, tuple(_cell(line, column.key) for column in COLUMNS))


def _cell(line: Line, key: str) -> Cell:
    text = str(getattr(line, key))
    if key == "verdict":
        return Cell(text, None, text.split(" ")[0])
    first = text.partition(" ")[0]
    return Cell(text, "" if first in ("", "-") else first.removeprefix("+"), "number")
