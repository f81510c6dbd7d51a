"""The report as a Markdown page."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from pandas import DataFrame

from kdrun.reports import wording
from kdrun.reports.blocks import Block, Line, blocks
from kdrun.reports.sentences import sentences

DEFINITIONS = (
    "accuracy: share of the test set classified rightly; mean ± sample standard deviation over seeds. "
    "The test set is read once per run, at its end.",
    "baseline: the same student trained on labels alone, with the same budget, seeds and batches. "
    "A control is the same again with something simpler than the teacher's soft targets: "
    "is the gain the teacher's, or any smoothing's?",
    "gain: accuracy minus the baseline's, seed by seed, in percentage points, "
    "with its two-sided 95 % paired t interval in brackets. "
    "better, worse: the interval excludes 0. Otherwise not resolved.",
    "gap: (student - baseline) / (teacher - baseline), of means; none where the teacher is no better.",
    "agreement: share of the test set on which student and teacher give the same class. "
    "A table with several teachers gives the baseline and the controls neither gap nor agreement.",
    "NLL: mean negative log-likelihood of the labels, nats. "
    "ECE: expected calibration error over 15 equal bins (Guo et al. 2017).",
    "FLOPs: of one forward pass of one example; a multiply-add counts as 2. "
    "Latency: median of a forward pass, at batch 1 and at the batch that the student was trained with.",
    "training, s: runs may train side by side in a group; this is a run's share of the wall time of its group.",
)


def markdown(comparison: DataFrame, notes: Mapping[str, Any], seeds: Sequence[int], pictures: Sequence[str]) -> str:
    """The page: tables, sentences, picture, where it comes from, how each number is defined.

    comparison: as `comparison.comparison` gives it. Names in it are shown as text, never as markup.
    notes: `report.json`: name, command, created, version.
    seeds: of the students, as planned.
    pictures: file names beside the page.
    """
    quote = wording.markdown
    parts = [
        f"# {quote(notes['name'])}",
        *(_block(block) for block in blocks(comparison, quote)),
        *sentences(comparison, quote),
        *(f"![Gain over the baseline at each point]({picture})" for picture in pictures),
        "## How it was made",
        _fenced(notes["command"]),
        f"Created {quote(notes['created'])} by kdrun {quote(notes['version'])}; "
        f"seeds {', '.join(map(str, seeds))}. Made from `runs.csv`; all numbers are in `comparison.csv`.",
        "## How each number is defined",
        "\n".join(f"* {definition}" for definition in DEFINITIONS),
    ]
    return "\n\n".join(parts) + "\n"


def _block(block: Block) -> str:
    title = "\\\n".join(block.title)
    header = [
        "",
        "accuracy, %",
        "gain, points [95 %]",
        "verdict",
        "gap, %",
        "agreement, %",
        "NLL",
        "ECE",
        "training, s",
    ]
    rows = [header, ["---", *["---:"] * 2, "---", *["---:"] * 5], *map(_cells, block.lines)]
    grid = "\n".join(f"| {' | '.join(row)} |" for row in rows)
    return "\n\n".join(part for part in (title, grid, "\\\n".join(block.notes)) if part)


def _cells(line: Line) -> list[str]:
    name = f"{line.name} \\*" if line.selected else line.name
    numbers = [
        line.accuracy,
        line.gain,
        line.verdict,
        line.gap,
        line.agreement,
        line.nll,
        line.ece,
        line.seconds,
    ]
    return [name, *numbers]


def _fenced(command: str) -> str:
    """The command as it was typed, in a fence that no run of backticks within it can close."""
    longest = max((len(run) for run in re.findall("`+", command)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}sh\n{command}\n{fence}"
