"""How names and numbers are written, in every form of a report."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from pandas import DataFrame

Row = dict[str, Any]
Quote = Callable[[str], str]  # makes a name safe to show in the form that is being written

NONE = "-"  # where there is no number


def plain(name: str) -> str:
    """A name as text for a terminal: control characters become `?`."""
    return "".join(letter if letter.isprintable() else "?" for letter in name)


def markdown(name: str) -> str:
    """A name as text in Markdown, in a table or outside: characters that could mean something are escaped."""
    escaped = re.sub(r"([\\`*\[\]<>|&~#$!{}])", r"\\\1", plain(name))
    return re.sub(r"(?<![^\W_])_|_(?![^\W_])", r"\\_", escaped)  # inside a word `_` means nothing


def records(table: DataFrame) -> list[Row]:
    """The rows of a table, by column name."""
    return [{str(name): value for name, value in row.items()} for row in table.to_dict("records")]


def control_names(comparison: DataFrame) -> list[str]:
    """Names of the controls that the comparison has columns for, in their order."""
    found = (re.fullmatch(r"gain_over_(.*)_mean", str(column), re.DOTALL) for column in comparison.columns)
    return [match[1] for match in found if match]


def spoken(control: str) -> str:
    """`label_smoothing` as it stands in a sentence."""
    return control.replace("_", " ")


def labels(rows: Sequence[Row]) -> list[str]:
    """Short names for the rows of a table; rows that would be called the same tell in what they differ.

    Rows that differ in nothing but their variants are called by these alone.
    """
    told = [_label(row, many=len(rows) > 1) for row in rows]
    variants = [row["variant"] for row in rows]
    if len(set(told)) == 1 and all(variants) and len(set(variants)) == len(rows) > 1:
        return variants
    return _told_apart([_with_variant(*pair) for pair in zip(variants, told, strict=True)], rows)


def learners(rows: Sequence[Row]) -> list[str]:
    """Names for the rows in sentences, such as `kd at tau 4, alpha 0.7`; told apart as in `labels`."""
    return _told_apart([_learner(row) for row in rows], rows)


def percent(fraction: float, digits: int = 2) -> str:
    """A fraction in percent, without the sign of percent."""
    return NONE if math.isnan(fraction) else f"{100 * fraction:z.{digits}f}"


def spread(mean: float, std: float) -> str:
    """Mean of accuracies with their standard deviation, in percent."""
    return percent(mean) if math.isnan(std) else f"{percent(mean)} ± {percent(std)}"


def gain(row: Row, prefix: str = "gain", sign: str = "+") -> str:
    """A gain in percentage points with its 95 % interval, where there is one."""
    mean, low, high = (row[f"{prefix}_{part}"] for part in ("mean", "ci95_low", "ci95_high"))
    if math.isnan(mean):
        return NONE
    interval = "" if math.isnan(low) else f" [{percent(low)}, {percent(high)}]"
    return f"{100 * mean:{sign}z.2f}{interval}"


def listed(names: Sequence[str]) -> str:
    """`a, b and c`."""
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))


def count(number: float, noun: str) -> str:
    """`1 seed`, `3,500 examples`."""
    return f"{number:,.10g} {noun}{'' if number == 1 else 's'}"


def scaled(number: float) -> str:
    """`55.1 k`, `1.2 M`: three digits and the SI letter of thousands."""
    power = min(4, max(0, int(math.log10(max(number, 1))) // 3))
    return f"{number / 1000**power:.3g} {['', 'k', 'M', 'G', 'T'][power]}"


def _label(row: Row, many: bool) -> str:
    if row["role"] == "control":
        return spoken(row["knowledge"])
    if many and row["overrides"]:
        return str(row["overrides"])
    return " ".join([row["knowledge"], *_numbers(row, "=")])


def _with_variant(variant: str, told: str) -> str:
    return f"{variant}, {told}" if variant else told


def _learner(row: Row) -> str:
    if row["role"] == "control":
        return spoken(row["knowledge"])
    numbers = ", ".join(_numbers(row, " "))
    told = f"{row['knowledge']} at {numbers}" if numbers else str(row["knowledge"])
    return f"{told} ({row['variant']})" if row["variant"] else told


def _numbers(row: Row, between: str) -> list[str]:
    """`tau=4`, `alpha=0.8 (linear from 0)`, and `label_weight=1` where that is not what alpha leaves to the labels."""
    given = [name for name in ("tau", "alpha") if not math.isnan(row[name])]
    schedules = {name: row[f"{name}_schedule"] for name in given}
    texts = [f"{name}{between}{row[name]:g}" + (f" ({told})" if told else "") for name, told in schedules.items()]
    labels, usual = row.get("label_weight", math.nan), 1.0 if math.isnan(row["alpha"]) else 1 - row["alpha"]
    is_usual = math.isnan(labels) or math.isclose(labels, usual, abs_tol=1e-9)
    return texts if is_usual else [*texts, f"label_weight{between}{labels:g}"]


def _told_apart(names: list[str], rows: Sequence[Row]) -> list[str]:
    """Names of which no two are the same: by the rows' overrides, else their networks, at last by a number."""
    for column in ("overrides", "student", "teacher"):
        used = {name: {row[column] for other, row in zip(names, rows, strict=True) if other == name} for name in names}
        names = [
            f"{name} ({row[column]})" if len(used[name]) > 1 and row[column] not in ("", name) else name
            for name, row in zip(names, rows, strict=True)
        ]
    uses, so_far = Counter(names), Counter[str]()
    numbered = []
    for name in names:
        so_far[name] += 1
        numbered.append(f"{name} #{so_far[name]}" if uses[name] > 1 else name)
    return numbered
