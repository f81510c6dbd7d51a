"""The report for a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from pandas import DataFrame
from rich.console import Group
from rich.table import Table
from rich.text import Text

from kdrun.reports import wording
from kdrun.reports.blocks import Block, Line, blocks
from kdrun.reports.sentences import sentences

VERDICT_STYLES = {"better": "green", "worse": "red"}
LEGEND = (
    "± is the standard deviation over seeds. gap: share of the way from baseline to teacher. "
    "agree: same class as the teacher."
)


def table(comparison: DataFrame, missing: Sequence[str] = ()) -> Group:
    """Titles, tables and sentences, to be printed by a rich console; reads well from 80 columns up.

    comparison: as `comparison.comparison` gives it. Names in it are shown as text, never as markup.
    missing: a line for each thing that `runs.csv` lacks.
    """
    lacking = [Text(f"Missing: {wording.plain(line)}.", style="red") for line in missing]
    shown = [part for block in blocks(comparison, wording.plain) for part in _shown(block)]
    told = [Text(sentence) for sentence in sentences(comparison, wording.plain)]
    return Group(*lacking, *shown, *told, Text(LEGEND, style="dim"))


def _shown(block: Block) -> list[Text | Table]:
    return [*(Text(line, style="bold") for line in block.title), Text(), _grid(block), *map(Text, block.notes), Text()]


def _grid(block: Block) -> Table:
    grid = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    grid.add_column("", overflow="fold")
    for header in ("accuracy\n%", "gain over baseline\npoints [95 %]"):
        grid.add_column(header, no_wrap=True)
    grid.add_column("verdict", no_wrap=True)
    for header in ("gap\n%", "agree\n%"):
        grid.add_column(header, justify="right", no_wrap=True)
    for line in block.lines:
        grid.add_row(*_cells(line))
    return grid


def _cells(line: Line) -> list[Text]:
    name = Text(f"{line.name} *" if line.selected else line.name)
    verdict = Text(line.verdict, style=VERDICT_STYLES.get(line.verdict, ""))
    return [name, Text(line.accuracy), Text(line.gain), verdict, Text(line.gap), Text(line.agreement)]
