"""Where a report's numbers come from: runs, and what they were made with."""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

from pandas import DataFrame

from kdrun.reports import wording
from kdrun.reports.reading import MADE_WITH
from kdrun.reports.wording import Row

ENVIRONMENT = ("device", "precision", *MADE_WITH)


class Environment(NamedTuple):
    """Versions and machine by name, and how many runs were made with them."""

    made_with: dict[str, str]
    runs: int


class Run(NamedTuple):
    """A run once, in the first of its roles."""

    run_id: str
    role: str
    seed: int
    status: str


def environments(runs: DataFrame) -> list[Environment]:
    """What the finished runs were made with, the most frequent first; what is not known is left out."""
    finished = runs[runs["status"] == "finished"].drop_duplicates("run_id")
    counts = Counter(tuple(row[name] for name in ENVIRONMENT) for row in wording.records(finished))
    return [
        Environment({name: wording.plain(text) for name, text in zip(ENVIRONMENT, texts, strict=True) if text}, number)
        for texts, number in counts.most_common()
    ]


def run_list(runs: DataFrame) -> list[Run]:
    """Every run of the report."""
    return [
        Run(wording.plain(row["run_id"]), wording.plain(_role(row)), row["seed"], wording.plain(row["status"]))
        for row in wording.records(runs.drop_duplicates("run_id"))
    ]


def unfinished(runs: DataFrame) -> list[str]:
    """A line on the runs that are not finished, where there are any."""
    distinct = runs.drop_duplicates("run_id")
    left = distinct[distinct["status"] != "finished"]
    if left.empty:
        return []
    named = [f"{_role(row)}, seed {row['seed']} ({row['run_id']})" for row in wording.records(left)]
    more = f"; and {len(named) - 3} more" if len(named) > 3 else ""
    are = "is" if len(named) == 1 else "are"
    return [f"{len(named)} of {len(distinct)} runs {are} not finished: {'; '.join(named[:3])}{more}"]


def _role(row: Row) -> str:
    return f"{row['role']} {wording.spoken(row['control'])}".rstrip()
