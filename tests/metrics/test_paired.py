from __future__ import annotations

import math
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import ttest_rel

from kdrun.metrics.paired import holm, paired

OURS, THEIRS = [0.912, 0.921, 0.905, 0.918, 0.930], [0.889, 0.890, 0.884, 0.901, 0.893]


def _differences() -> list[float]:
    return [a - b for a, b in zip(OURS, THEIRS, strict=True)]


def test_the_gain_is_that_of_the_paired_t_test() -> None:
    gain, reference = paired(_differences()), ttest_rel(OURS, THEIRS)
    interval = reference.confidence_interval(0.95)
    assert gain.p_value == pytest.approx(reference.pvalue, rel=1e-9)
    assert (gain.ci95_low, gain.ci95_high) == pytest.approx((interval.low, interval.high), rel=1e-9)


def test_the_interval_of_two_differences_is_the_one_worked_out_by_hand() -> None:
    # mean 2, std sqrt(2), error 1, t(0.975, 1) = 12.7062
    gain = paired([1.0, 3.0])
    assert (gain.mean, gain.std) == pytest.approx((2.0, math.sqrt(2)))
    assert (gain.ci95_low, gain.ci95_high) == pytest.approx((2 - 12.7062, 2 + 12.7062), abs=1e-4)
    assert gain.verdict == "not resolved"


@pytest.mark.parametrize(("sign", "verdict"), [(1, "better"), (-1, "worse")])
def test_an_interval_that_excludes_zero_gives_a_verdict(sign: int, verdict: str) -> None:
    assert paired([sign * difference for difference in _differences()]).verdict == verdict


def test_one_seed_has_no_interval() -> None:
    gain = paired([0.02])
    assert (gain.n, gain.mean, gain.verdict) == (1, 0.02, "one seed")
    assert all(map(math.isnan, (gain.std, gain.ci95_low, gain.ci95_high, gain.p_value)))


def test_no_difference_at_all_is_no_pair() -> None:
    gain = paired([])
    assert (gain.n, gain.verdict) == (0, "no pair")
    assert math.isnan(gain.mean)


def test_differences_that_are_all_zero_are_not_resolved_with_certainty() -> None:
    gain = paired([0.0, 0.0, 0.0])
    assert (gain.ci95_low, gain.ci95_high, gain.p_value, gain.verdict) == (0.0, 0.0, 1.0, "not resolved")


def test_equal_differences_leave_the_spread_unknown_although_they_are_rounded() -> None:
    differences = [0.9 - 0.8, 0.8 - 0.7, 0.7 - 0.6]  # 0.1 three times, but not to the last bit
    assert len(set(differences)) > 1
    gain = paired(differences)
    assert (gain.mean, gain.std, gain.verdict) == (pytest.approx(0.1), 0.0, "not resolved")
    assert all(map(math.isnan, (gain.ci95_low, gain.ci95_high, gain.p_value)))


def test_a_spread_of_one_example_in_a_million_is_a_spread() -> None:
    assert paired([0.1, 0.1, 0.1 + 1e-6]).verdict == "better"


def test_holm_multiplies_by_the_questions_that_are_left() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])


def test_holm_is_at_most_one() -> None:
    assert holm([0.6, 0.7]) == [1.0, 1.0]


def test_holm_passes_nan_through_and_does_not_count_it() -> None:
    first, second, third = holm([0.02, math.nan, 0.01])
    assert (first, third) == pytest.approx((0.02, 0.02))
    assert math.isnan(second)


@given(st.lists(st.floats(0, 1), max_size=8))
def test_holm_keeps_the_order_and_never_lowers_a_p_value(p_values: list[float]) -> None:
    adjusted = holm(p_values)
    assert all(new >= old for new, old in zip(adjusted, p_values, strict=True))
    assert [new for _, new in sorted(zip(p_values, adjusted, strict=True))] == sorted(adjusted)


def test_importing_paired_statistics_is_light() -> None:
    heavy = "{'torch', 'pandas', 'scipy', 'numpy'} & set(sys.modules)"
    command = f"import sys, kdrun.metrics.paired; sys.exit(str({heavy}) if {heavy} else 0)"
    assert subprocess.run([sys.executable, "-c", command], check=False).returncode == 0
