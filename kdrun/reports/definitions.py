"""How each number of a report is defined."""

from __future__ import annotations

from typing import NamedTuple


class Definition(NamedTuple):
    """key: what it goes by in the code; term: what it is called in a report."""

    key: str
    term: str
    text: str


DEFINITIONS = (
    Definition(
        "accuracy",
        "accuracy",
        "share of the test set classified rightly; mean ± sample standard deviation over seeds. "
        "The test set is read once per run, at its end.",
    ),
    Definition(
        "baseline",
        "baseline",
        "the same student trained on labels alone, with the same budget, seeds and batches. "
        "A control is the same again with something simpler than the teacher's soft targets: "
        "is the gain the teacher's, or any smoothing's?",
    ),
    Definition(
        "gain",
        "gain",
        "accuracy minus the baseline's, seed by seed, in percentage points, "
        "with its two-sided 95 % paired t interval in brackets.",
    ),
    Definition(
        "verdict", "verdict", "better or worse where the interval of the gain excludes 0. Otherwise not resolved."
    ),
    Definition(
        "gap",
        "gap",
        "(student - baseline) / (teacher - baseline), of means; none where the teacher is not better than the baseline "
        "by more than the baseline's standard deviation.",
    ),
    Definition(
        "agreement",
        "agreement",
        "share of the test set on which student and teacher give the same class. "
        "A table with several teachers gives the baseline and the controls neither gap nor agreement.",
    ),
    Definition("nll", "NLL", "mean negative log-likelihood of the labels, nats."),
    Definition("ece", "ECE", "expected calibration error over 15 equal bins (Guo et al. 2017)."),
    Definition("flops", "FLOPs", "of one forward pass of one example; a multiply-add counts as 2."),
    Definition(
        "latency",
        "latency",
        "median of a forward pass, at batch 1 and at the batch that the student was trained with.",
    ),
    Definition(
        "seconds",
        "training, s",
        "runs may train side by side in a group; this is a run's share of the wall time of its group. "
        "A network that is put together has the seconds of all runs that it is made of; each of several peers, of all.",
    ),
)
