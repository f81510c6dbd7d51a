"""How progress is worded: groups of runs, ranges of numbers, durations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kdrun.experiment.train import Rows
    from kdrun.runs.spec import RunSpec


NO_EPOCHS = "–"  # of runs that train nothing


def title(specs: Sequence[RunSpec]) -> str:
    """What is in training: a run's title, or how many there are."""
    return specs[0].title if len(specs) == 1 else f"{len(specs)} runs side by side"


def work(specs: Sequence[RunSpec], epochs: int) -> str:
    """What runs side by side are going to do: `3 epochs`, or `put together from 3 runs`."""
    if epochs:
        return f"{epochs} epoch{'' if epochs == 1 else 's'}"
    parts = {part for spec in specs for part in spec.made_of}
    return f"put together from {len(parts)} run{'' if len(parts) == 1 else 's'}"


def spread(values: Sequence[float], form: str, between: str) -> str:
    """The least and the greatest of the values, or the only one. form: such as `{:.2f}`."""
    ends = (form.format(min(values)), form.format(max(values)))
    return between.join(dict.fromkeys(ends))


def losses(rows: Rows) -> list[float]:
    return [row["train_loss"] for row in rows.values()]


def accuracies(rows: Rows) -> list[float]:
    """On the validation part, in percent; empty where there is none."""
    return [100 * row["validation_accuracy"] for row in rows.values() if "validation_accuracy" in row]


def time_left(seconds: float | None) -> str:
    """`about 2:10 left`, or nothing where it is not known yet."""
    return "" if seconds is None else f"about {duration(seconds)} left"


def duration(seconds: float) -> str:
    """`0:07`, `2:10`, `1:02:10`, `2 d 3:00:00`."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"{days} d {hours}:{minutes:02}:{rest:02}"
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
