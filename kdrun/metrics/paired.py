"""Paired statistics over seeds: the gain, its interval, its verdict."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Verdict = Literal["better", "worse", "not resolved", "one seed", "no pair"]

# Differences of fractions k/N carry rounding of about 1e-16; N <= 1e6 keeps that below 1e-9 of a difference.
ROUNDING = 1e-9


@dataclass(frozen=True)
class Gain:
    """Mean of n paired differences, with what is known about it.

    mean, std: of the differences; std is the sample standard deviation (n - 1), NaN for one difference.
    ci95_low, ci95_high: two-sided 95 % t interval of the mean with n - 1 degrees of freedom; NaN where
        the spread cannot be estimated.
    p_value: two-sided, of the paired t test against 0; NaN where there is no interval.
    verdict: better or worse where the interval excludes 0, not resolved otherwise; one seed, or no pair,
        where n is 1 or 0.
    """

    n: int
    mean: float
    std: float
    ci95_low: float
    ci95_high: float
    p_value: float
    verdict: Verdict


def paired(differences: Sequence[float]) -> Gain:
    """The gain in paired differences (ours minus theirs, one for each seed), by the paired t interval.

    mean +- t_{0.975, n-1} * std / sqrt(n)

    Differences that are all 0 give the interval [0, 0] and p = 1. Differences that are all the same but not
    0 leave the spread unknown: no interval, not resolved.

    differences: finite; any number of them.
    """
    n, nan = len(differences), math.nan
    if n == 0:
        return Gain(0, nan, nan, nan, nan, nan, "no pair")
    mean = statistics.fmean(differences)
    if n == 1:
        return Gain(1, mean, nan, nan, nan, nan, "one seed")
    std = statistics.stdev(differences)
    largest = max(map(abs, differences))
    if largest == 0:
        return Gain(n, 0.0, 0.0, 0.0, 0.0, 1.0, "not resolved")
    if std <= ROUNDING * largest:
        return Gain(n, mean, 0.0, nan, nan, nan, "not resolved")
    return _t_interval(n, mean, std)


def holm(p_values: Sequence[float]) -> list[float]:
    """P-values adjusted for having asked as many questions as there are p-values, in the same order.

    p_(i) becomes max_{j <= i} min(1, (m - j + 1) * p_(j)) for the m values in rising order. NaN stays NaN
    and is not counted in m.

    Source: Holm 1979, "A simple sequentially rejective multiple test procedure".
    """
    adjusted = [math.nan] * len(p_values)
    rising = sorted((p, i) for i, p in enumerate(p_values) if not math.isnan(p))
    running = 0.0
    for rank, (p, i) in enumerate(rising):
        running = max(running, min(1.0, (len(rising) - rank) * p))
        adjusted[i] = running
    return adjusted


def _t_interval(n: int, mean: float, std: float) -> Gain:
    from scipy.special import stdtr, stdtrit

    error = std / math.sqrt(n)
    half = float(stdtrit(n - 1, 0.975)) * error
    low, high = mean - half, mean + half
    p_value = 2 * float(stdtr(n - 1, -abs(mean) / error))
    verdict: Verdict = "better" if low > 0 else "worse" if high < 0 else "not resolved"
    return Gain(n, mean, std, low, high, p_value, verdict)
