"""The report as a page of HTML that stands alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pandas import DataFrame

from kdrun.pages import render
from kdrun.reports import wording
from kdrun.reports.blocks import COLUMNS, blocks
from kdrun.reports.definitions import DEFINITIONS
from kdrun.reports.details import Details
from kdrun.reports.page.closely import closely
from kdrun.reports.page.overview import overview
from kdrun.reports.page.rows import shown
from kdrun.reports.page.sources import environments, run_list, unfinished
from kdrun.reports.sentences import headline, sentences

TEMPLATE = Path(__file__).parent / "report.html.j2"


def page(
    comparison: DataFrame, runs: DataFrame, notes: Mapping[str, Any], details: Details, missing: Sequence[str]
) -> str:
    """The page: verdict, table, pictures, how to make it again, how each number is defined, and what is missing.

    comparison: as `comparison.comparison` gives it. Names in it are shown as text, never as markup.
    runs: rows of `runs.csv` as `reading.read_runs` gives them.
    notes: `report.json`: name, command, created, version.
    missing: a line for each thing that `runs.csv` lacks.
    """
    return render(
        TEMPLATE,
        name=wording.plain(notes["name"]),
        headline=headline(comparison, wording.plain),
        told=sentences(comparison, wording.plain),
        columns=COLUMNS,
        blocks=[shown(block) for block in blocks(comparison, wording.plain)],
        pictures=overview(comparison),
        sections=closely(comparison, runs, details),
        notes={name: wording.plain(notes[name]) for name in ("command", "created", "version")},
        seeds=sorted(set(runs.loc[runs["role"] == "student", "seed"])),
        environments=environments(runs),
        runs=run_list(runs),
        definitions=DEFINITIONS,
        missing=[wording.plain(line) for line in (*missing, *unfinished(runs), *details.missing)],
    )
