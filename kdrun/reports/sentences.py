"""What a comparison says, in plain sentences."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

from pandas import DataFrame

from kdrun.reports import wording
from kdrun.reports.examples import omission_sentences
from kdrun.reports.wording import Quote, Row

ALL_TOLD = 3  # so many points are told one by one; of more, the selected one and a count
COVERS = "Intervals are two-sided 95 % paired t intervals over the seeds of the student; {} fixed."


def sentences(comparison: DataFrame, quote: Quote) -> list[str]:
    """Verdicts in words, what validation selects, what is missing, what the intervals cover, what it costs.

    Points that use the same student runs count once.

    comparison: as `comparison.comparison` gives it.
    quote: applied to every name.
    """
    students = [row for row in wording.records(comparison) if row["role"] == "student" and math.isnan(row["same_as"])]
    names = [quote(name) for name in wording.learners(students)]
    controls = wording.control_names(comparison)
    told = [f"{_verdict(students[i], names[i], controls, quote)}{_calibration(students[i])}" for i in _told(students)]
    sweep = [*_selection(students, names, quote), *_count(students)]
    shown = omission_sentences(students, names, quote)
    larger = _larger(students, names)
    return [*told, *larger, *sweep, *shown, *_missing(students), *_cover(students), *_costs(students, quote)]


def headline(comparison: DataFrame, quote: Quote) -> str:
    """The verdict in one sentence: on the points that validation selects or the only one, else on how many are better.

    comparison, quote: as in `sentences`.
    """
    students = [row for row in wording.records(comparison) if row["role"] == "student" and math.isnan(row["same_as"])]
    names = [quote(name) for name in wording.learners(students)]
    selected = [i for i, row in enumerate(students) if row["selected"]]
    if len(students) > 1 and len(selected) != 1:
        return " ".join(_count(students))
    (told,) = selected or [0]
    sentence = _over_baseline(students[told], names[told])
    return sentence if sentence.endswith(".") else f"{sentence}{_but(students[told], quote)}"


def _told(students: Sequence[Row]) -> list[int]:
    """Those told one by one; of the rows of one point, which are other things rather than settings to choose, all."""
    few = list(range(len(students))) if len(students) <= ALL_TOLD else []
    if any(row["variant"] for row in students) and few:
        return few
    return [i for i, row in enumerate(students) if row["selected"]] or few


def _verdict(row: Row, name: str, controls: Sequence[str], quote: Quote) -> str:
    """The gain over the baseline, then over each control that has one."""
    against = [control for control in controls if not math.isnan(row[f"gain_over_{control}_mean"])]
    beaten = [control for control in against if row[f"gain_over_{control}_ci95_low"] > 0]
    over = [f"{_control(control, quote)} by {wording.gain(row, f'gain_over_{control}', sign='')}" for control in beaten]
    told = [_over_baseline(row, name), f"It beats {wording.listed(over)}." if over else ""]
    if row["verdict"] == "better":
        told = [_over_baseline(row, name) + (f", and {wording.listed(over)}" if over else "") + _but(row, quote)]
    told += _unbeaten(row, [control for control in against if control not in beaten], quote)
    return " ".join(sentence for sentence in told if sentence)


def _but(row: Row, quote: Quote) -> str:
    """The end of the sentence on a better point."""
    names = [_control(name, quote) for name in row["explained_by"].split("+") if name]
    return f", but {wording.listed(names)} alone may explain the gain." if names else "."


def _over_baseline(row: Row, name: str) -> str:
    seeds = wording.count(row["n_seeds"], "seed")
    gain = f"{wording.gain(row)} points"
    unresolved = f"The gain of {name} over the hard-label baseline is not resolved: {gain} over {seeds}"
    if row["verdict"] == "not resolved" and math.isnan(row["gain_ci95_low"]):
        return f"{unresolved}, the same for each, so there is no interval."
    by_verdict = {
        "better": f"{name} beats the hard-label baseline by {gain.removeprefix('+')} over {seeds}",
        "worse": f"{name} is worse than the hard-label baseline: {gain} over {seeds}.",
        "not resolved": f"{unresolved}.",
        "one seed": f"One seed: no interval. {name} is at {gain} against the hard-label baseline.",
        "no pair": f"{name}: no seed has both a finished baseline and a finished student.",
    }
    return by_verdict[row["verdict"]]


def _unbeaten(row: Row, controls: Sequence[str], quote: Quote) -> list[str]:
    """What is said of the controls that the row is not shown to beat, those of a kind in one sentence."""
    kinds: dict[str, list[str]] = {
        "Worse than {}.": [],
        "No interval over {}.": [],
        "Not resolved over {}.": [],
    }
    worse, no_interval, not_resolved = kinds.values()
    for control in controls:
        prefix = f"gain_over_{control}"
        told = f"{_control(control, quote)} ({wording.gain(row, prefix)} points)"
        low, high = row[f"{prefix}_ci95_low"], row[f"{prefix}_ci95_high"]
        (no_interval if math.isnan(low) else worse if high < 0 else not_resolved).append(told)
    return [sentence.format(wording.listed(told)) for sentence, told in kinds.items() if told]


def _control(name: str, quote: Quote) -> str:
    return quote(wording.spoken(name))


def _calibration(row: Row) -> str:
    pairs = [
        f"{name} {row[f'student_{key}_mean']:.4f} (baseline {row[f'baseline_{key}_mean']:.4f})"
        for name, key in (("NLL", "nll"), ("ECE", "ece"))
        if not math.isnan(row[f"student_{key}_mean"])
    ]
    return f" Beside accuracy: {', '.join(pairs)}." if pairs else ""


def _selection(students: Sequence[Row], names: Sequence[str], quote: Quote) -> list[str]:
    if len(students) == 1:
        return []
    chosen = [
        f"{name} (marked {quote('*')}), with {wording.percent(row['validation_accuracy_mean'])} % there"
        for row, name in zip(students, names, strict=True)
        if row["selected"]
    ]
    if len(chosen) > 1:
        return [
            f"Among the {_noun(students)}s with its validation examples, validation selects {one}." for one in chosen
        ]
    if any(not math.isnan(row["validation_accuracy_mean"]) for row in students):
        return [f"The validation part selects {one}." for one in chosen]  # none where each point has its own
    return [f"No {_noun(students)} is selected: there is no validation part, and the test set must not choose."]


def _count(students: Sequence[Row]) -> list[str]:
    if len(students) == 1:
        return []
    verdicts = Counter(row["verdict"] for row in students)
    adjusted = [row for row in students if row["p_value_holm"] < 0.05]
    told = ", ".join(f"{number} {verdict}" for verdict, number in verdicts.most_common())
    unbeaten = sum(row["explained_by"] != "" for row in students)
    explained = f" {unbeaten} of the better ones may be explained by a control alone." if unbeaten else ""
    return [
        f"Of {wording.count(len(students), _noun(students))} against the baseline: {told}; "
        f"{len(adjusted)} with p < 0.05 after Holm's correction for asking so often.{explained}"
    ]


def _noun(students: Sequence[Row]) -> str:
    """What the table's lines are, where a point of a sweep may have several."""
    return "row" if any(row["variant"] for row in students) else "point"


def _missing(students: Sequence[Row]) -> list[str]:
    missing = sum(row["n_seeds_planned"] - row["n_seeds"] for row in students)
    planned = sum(row["n_seeds_planned"] for row in students)
    return [f"{missing} of {planned} pairs of student and baseline are not finished."] if missing else []


def _cover(students: Sequence[Row]) -> list[str]:
    if all(row["n_seeds"] <= 1 for row in students):
        return []
    taught = [row for row in students if row["teacher"]]
    own = sum(not math.isnan(row["teacher_accuracy_std"]) for row in taught)
    if own and own == len(taught):
        return [COVERS.format("each has its own teacher, and the split of the data is")]
    the_teacher = "a teacher that all seeds share" if own else "the teacher"
    return [COVERS.format(f"{the_teacher} and the split of the data are" if taught else "the split of the data is")]


def _larger(students: Sequence[Row], names: Sequence[str]) -> list[str]:
    """Of networks that cost more than what they are compared with, such as several that answer as one."""
    return [
        f"{name} has {row['student_parameters'] / row['baseline_parameters']:.2g}x the parameters of the one network "
        "that is its baseline: a gain may be that of its size."
        for row, name in zip(students, names, strict=True)
        if row["student_parameters"] > row["baseline_parameters"]
    ]


def _costs(students: Sequence[Row], quote: Quote) -> list[str]:
    """One sentence for each pair of sizes, which says whose they are where there are several."""
    sizes: dict[tuple[float, str], list[Row]] = {}
    for row in students:
        if not math.isnan(row["student_parameters"]):
            sizes.setdefault((row["student_parameters"], str(row["teacher_parameters"])), []).append(row)
    if len(sizes) == 1:
        return [_cost(rows[0], "The student", "the teacher", quote) for rows in sizes.values()]
    return [
        _cost(
            rows[0],
            f"The student {_whose([quote(_student(row)) for row in rows])}",
            f"the teacher {_whose([quote(row['teacher']) for row in rows])}",
            quote,
        )
        for rows in sizes.values()
    ]


def _whose(names: Sequence[str]) -> str:
    return wording.listed(list(dict.fromkeys(names)))


def _student(row: Row) -> str:
    return f"{row['student']} ({row['variant']})" if row["variant"] else str(row["student"])


def _cost(row: Row, student: str, teacher: str, quote: Quote) -> str:
    parts = [f"{row['student_parameters']:,.0f} parameters{_ratio(row['compression'])}"]
    if not math.isnan(row["student_flops"]):
        ratio = _ratio(row["teacher_flops"] / row["student_flops"])
        parts.append(f"{wording.scaled(row['student_flops'])}FLOPs an example{ratio}")
    if not math.isnan(row["student_latency_ms"]):
        parts.append(
            f"{row['student_latency_ms']:.3g} ms at batch 1 on {quote(row['device'])}{_ratio(row['speed_up'])}"
        )
    if not math.isnan(row["student_latency_batch_ms"]) and not math.isnan(row["batch_size"]):
        parts.append(
            f"{row['student_latency_batch_ms']:.3g} ms at batch {row['batch_size']:.0f}{_ratio(row['speed_up_batch'])}"
        )
    over = "" if math.isnan(row["compression"]) else f", and in brackets {teacher} over the student"
    return f"{student}{over}: {', '.join(parts)}."


def _ratio(ratio: float) -> str:
    return "" if math.isnan(ratio) else f" ({ratio:.1f}x)"
