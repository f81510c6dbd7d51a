"""Sides in one table: as CSV, as Markdown and on the terminal."""

from __future__ import annotations

import hashlib
import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Group
from rich.table import Table
from rich.text import Text

from kdrun.metrics.paired import Gain, holm
from kdrun.reports import wording
from kdrun.reports.pairing import Pairing, pairing
from kdrun.reports.sides import Entry, Side
from kdrun.reports.table import VERDICT_STYLES
from kdrun.runs import atomic
from kdrun.runs.folder import to_csv

HEADER = ("", "seeds", "accuracy, %", "over own baseline, points [95 %]", "over {}, points [95 %]", "verdict")
EXPLAINED = (
    "Gains are of test accuracy, in percentage points, with their 95 % paired t intervals over the seeds that both "
    "sides have finished; they speak for other seeds of the students, not for other teachers or other data."
)


@dataclass(frozen=True)
class Line:
    """An entry, and how it stands against the first side's lead; None where it is not set against it."""

    entry: Entry
    pairing: Pairing | None


@dataclass(frozen=True)
class SideBySide:
    """lines: of all sides, in their order. no_lead: why nothing is set against the first side; else ''."""

    sides: tuple[Side, ...]
    lines: tuple[Line, ...]
    no_lead: str


def side_by_side(sides: Sequence[Side]) -> SideBySide:
    """Sets the students of the later sides (or their single run) against the lead of the first one."""
    first = sides[0]
    lead = None if first.lead is None else first.entries[first.lead]
    lines = [
        Line(entry, pairing(entry, lead) if lead is not None and side is not first and _is_set(side, entry) else None)
        for side in sides
        for entry in side.entries
    ]
    points = sum(entry.role == "student" for entry in first.entries)
    no_lead = "" if lead is not None else f"{first.letter} has {points} points and selects none on validation"
    return SideBySide(tuple(sides), tuple(lines), no_lead)


def _is_set(side: Side, entry: Entry) -> bool:
    return entry.role == "student" or len(side.entries) == 1


def name_of(sides: Sequence[Side]) -> str:
    """A name that the same sides give again."""
    text = "\n".join(side.folder.name for side in sides)
    return f"compare-{hashlib.sha256(text.encode()).hexdigest()[:8]}"


def write_side_by_side(compared: SideBySide, folder: Path) -> None:
    """Writes side_by_side.csv and side_by_side.md. Raises UserError where that is not possible."""
    atomic.make_folder(folder)
    atomic.write_text(folder / "side_by_side.csv", to_csv(_rows(compared)))
    atomic.write_text(folder / "side_by_side.md", _markdown(compared))


def table(compared: SideBySide) -> Group:
    """For a rich console."""
    grid = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    for number, title in enumerate(_header(compared)):
        name, _, unit = title.partition(", ")
        grid.add_column(f"{name}\n{unit}".rstrip(), overflow="fold", no_wrap=number > 0)
    for line in compared.lines:
        *cells, verdict = _cells(line)
        grid.add_row(*map(Text, cells), Text(verdict, style=VERDICT_STYLES.get(verdict, "")))
    sides = [Text(wording.plain(one), style="bold") for one in _sides(compared)]
    notes = [Text(wording.plain(note)) for note in [*_refused(compared), _explained(compared)]]
    return Group(*sides, Text(), grid, Text(), *notes)


def _markdown(compared: SideBySide) -> str:
    quote = wording.markdown
    rows = [_header(compared), ["---", "---:", "---:", "---:", "---:", "---"]]
    rows += [[quote(line_name), *cells] for line_name, *cells in map(_cells, compared.lines)]
    grid = "\n".join(f"| {' | '.join(row)} |" for row in rows)
    listed = ["\n".join(f"* {quote(one)}" for one in group) for group in (_sides(compared), _refused(compared))]
    parts = ("# Side by side", listed[0], grid, listed[1], quote(_explained(compared)))
    return "\n\n".join(part for part in parts if part) + "\n"


def _header(compared: SideBySide) -> list[str]:
    return [title.format(compared.sides[0].letter) for title in HEADER]


def _sides(compared: SideBySide) -> list[str]:
    return [f"{side.letter}: {side.folder}: {side.told}" for side in compared.sides]


def _cells(line: Line) -> list[str]:
    entry, gain = line.entry, line.pairing.gain if line.pairing else None
    mean, std = _spread([run.accuracy for run in entry.runs])
    is_learner = entry.role in ("student", "control") and bool(entry.own)
    return [
        _named(entry),
        f"{len(entry.runs)}" if len(entry.runs) == entry.planned else f"{len(entry.runs)} of {entry.planned}",
        wording.spread(mean, std),
        wording.gain(entry.own) if is_learner else "",
        "" if gain is None else _gain(gain),
        "" if gain is None or line.pairing is None else "not paired" if line.pairing.refusals else gain.verdict,
    ]


def _named(entry: Entry) -> str:
    star = " *" if entry.role == "student" and entry.own.get("selected") else ""
    return wording.plain(f"{entry.side} {entry.name}{star}")


def _gain(gain: Gain) -> str:
    return wording.gain({"gain_mean": gain.mean, "gain_ci95_low": gain.ci95_low, "gain_ci95_high": gain.ci95_high})


def _refused(compared: SideBySide) -> list[str]:
    """A line for each pair that is not formed."""
    first = compared.sides[0]
    lead = "" if first.lead is None else _named(first.entries[first.lead])
    told = [
        f"{_named(line.entry)} is not paired with {lead}: {'; '.join(line.pairing.refusals)}"
        for line in compared.lines
        if line.pairing is not None and line.pairing.refusals
    ]
    return [f"nothing is paired: {compared.no_lead}; name a report of one point first"] if compared.no_lead else told


def _explained(compared: SideBySide) -> str:
    starred = any(line.entry.own.get("selected") for line in compared.lines)
    return ("* is what validation selects. " if starred else "") + EXPLAINED


def _spread(accuracies: Sequence[float]) -> tuple[float, float]:
    if not accuracies:
        return math.nan, math.nan
    return statistics.fmean(accuracies), statistics.stdev(accuracies) if len(accuracies) > 1 else math.nan


def _rows(compared: SideBySide) -> list[dict[str, object]]:
    gains = [line.pairing.gain if line.pairing else None for line in compared.lines]
    adjusted = holm([math.nan if gain is None else gain.p_value for gain in gains])
    folders = {side.letter: side.folder for side in compared.sides}
    return [
        _row(line, folders[line.entry.side], gain, p_holm)
        for line, gain, p_holm in zip(compared.lines, gains, adjusted, strict=True)
    ]


def _row(line: Line, folder: Path, gain: Gain | None, p_holm: float) -> dict[str, object]:
    entry, runs = line.entry, line.entry.runs
    mean, std = _spread([run.accuracy for run in runs])
    own = entry.own if entry.role in ("student", "control") else {}
    return {
        "side": entry.side,
        "folder": str(folder),
        "role": entry.role,
        "name": entry.name,
        "dataset": entry.dataset,
        "model": entry.model,
        "n_seeds": len(runs),
        "n_seeds_planned": entry.planned,
        "seeds": " ".join(str(run.seed) for run in runs),
        "train_examples": _same([run.train_examples for run in runs]),
        "test_examples": _same([run.test_examples for run in runs]),
        "epochs": _same([run.epochs for run in runs]),
        "accuracy_mean": _known(mean),
        "accuracy_std": _known(std),
        "nll_mean": _known(_spread([run.nll for run in runs])[0]),
        "ece_mean": _known(_spread([run.ece for run in runs])[0]),
        **{f"gain_over_baseline_{part}": _known(own.get(f"gain_{part}")) for part in ("mean", "ci95_low", "ci95_high")},
        "n_pairs": None if gain is None else gain.n,
        **{f"gain_{part}": _known(getattr(gain, part, None)) for part in ("mean", "ci95_low", "ci95_high")},
        "p_value": _known(getattr(gain, "p_value", None)),
        "p_value_holm": _known(p_holm),
        "verdict": None if gain is None else gain.verdict,
        "not_paired_because": "; ".join(line.pairing.refusals) if line.pairing else None,
        "device": "+".join(dict.fromkeys(run.device for run in runs)),
        "run_ids": " ".join(run.run_id for run in runs),
    }


def _same(counts: Sequence[float]) -> int | None:
    """A count that all runs share."""
    return int(counts[0]) if len(set(counts)) == 1 and not math.isnan(counts[0]) else None


def _known(value: object) -> object:
    return None if isinstance(value, float) and math.isnan(value) else value
