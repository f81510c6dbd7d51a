from __future__ import annotations

import math

import pytest
from scipy.stats import ttest_rel

from kdrun.reports.comparison import comparison

FIRST = (
    "dataset teacher student knowledge mode tau alpha n_seeds teacher_accuracy baseline_accuracy_mean "
    "baseline_accuracy_std student_accuracy_mean student_accuracy_std gain_mean gain_ci95_low gain_ci95_high "
    "p_value verdict gap_recovered agreement role point overrides p_value_holm "
    "gain_over_label_smoothing_mean gain_over_label_smoothing_ci95_low gain_over_label_smoothing_ci95_high "
    "validation_accuracy_mean selected teacher_train_size train_size epochs baseline_nll_mean student_nll_mean "
    "baseline_ece_mean student_ece_mean student_parameters teacher_parameters compression student_flops "
    "teacher_flops student_latency_ms teacher_latency_ms speed_up train_seconds_mean test_examples precision device"
)
LAST = "batch_size student_latency_batch_ms teacher_latency_batch_ms speed_up_batch"


def test_columns_stand_in_their_published_order(runs, read) -> None:
    columns = list(comparison(read(runs().point(0))).columns)
    assert columns[: len(FIRST.split())] == FIRST.split()


def test_the_gain_is_paired_by_seed(runs, read) -> None:
    built = runs().point(0)
    built.rows.reverse()  # the order of the file must not matter
    rows = read(built)
    student, base = (
        rows[rows["role"] == role].sort_values("seed")["test_accuracy"] for role in ("student", "baseline")
    )
    reference = ttest_rel(student, base)
    found = comparison(rows).iloc[0]
    interval = reference.confidence_interval(0.95)
    assert found["p_value"] == pytest.approx(reference.pvalue)
    assert (found["gain_ci95_low"], found["gain_ci95_high"]) == pytest.approx((interval.low, interval.high))
    assert found["student_accuracy_mean"] - found["baseline_accuracy_mean"] == pytest.approx(found["gain_mean"])
    assert found["student_accuracy_std"] == pytest.approx(student.std())


def test_the_gap_recovered_is_the_share_of_the_way_to_the_teacher(runs, read) -> None:
    found = comparison(read(runs().point(0, gain=0.026))).iloc[0]
    assert found["gap_recovered"] == pytest.approx(0.026 / (0.94 - 0.888))


@pytest.mark.parametrize(
    ("teacher", "seeds", "is_a_gap"), [(0.8, 5, False), (0.893, 5, False), (0.895, 5, True), (0.881, 1, True)]
)
def test_a_teacher_within_the_spread_of_the_baseline_leaves_no_gap(
    runs, read, teacher: float, seeds: int, is_a_gap: bool
) -> None:
    built = runs(seeds=seeds).point(0)  # baselines at 0.888, of standard deviation 0.0057; the first at 0.880
    for row in built.rows:
        row["test_accuracy"] = teacher if row["role"] == "teacher" else row["test_accuracy"]
    assert math.isnan(comparison(read(built)).iloc[0]["gap_recovered"]) is not is_a_gap


def test_seeds_that_one_side_has_not_finished_are_left_out_of_every_mean(runs, read) -> None:
    found = comparison(read(runs().point(0, gain=0.03, missing=(0, 4)))).iloc[0]
    assert (found["n_seeds"], found["n_seeds_planned"]) == (3, 5)
    assert found["baseline_accuracy_mean"] == pytest.approx((0.890 + 0.895 + 0.885) / 3)
    assert found["gain_mean"] == pytest.approx(0.03 + (-0.003 + 0.001 - 0.004) / 3)


def test_one_seed_has_no_spread_and_says_so(runs, read) -> None:
    found = comparison(read(runs(seeds=1).point(0))).iloc[0]
    assert found["verdict"] == "one seed"
    assert all(math.isnan(found[name]) for name in ("student_accuracy_std", "gain_ci95_low", "p_value", "p_value_holm"))


def test_a_point_without_a_finished_student_is_kept(runs, read) -> None:
    found = comparison(read(runs(seeds=2).point(0, missing=(0, 1)))).iloc[0]
    assert (found["n_seeds"], found["verdict"], found["student"]) == (0, "no pair", "small")


def test_a_control_shared_by_the_points_is_one_row(tau_sweep, read) -> None:
    found = comparison(read(tau_sweep))
    control = found[found["role"] == "control"]
    assert len(control) == 1
    assert (control.iloc[0]["knowledge"], control.iloc[0]["overrides"]) == ("label_smoothing", "")
    assert control.iloc[0]["gain_mean"] == pytest.approx(0.004)


def test_a_control_that_depends_on_the_point_is_a_row_for_each(runs, read) -> None:
    built = runs(seeds=2)
    for number, tau in enumerate((1, 4)):
        built.point(number, tau=tau, controls=(), overrides=f"tau={tau}")
        for seed in built.seeds:
            told = {"tau": tau, "overrides": f"tau={tau}", "run_id": f"mean-{tau}-{seed}"}
            built.add(number, "control", seed, 0.9 + seed / 100, control="class_mean", **told)
    control = comparison(read(built)).query("role == 'control'")
    assert list(control["overrides"]) == ["tau=1", "tau=4"]


def test_a_gain_over_each_control_stands_beside_the_gain(runs, read) -> None:
    found = comparison(read(runs().point(0, gain=0.03, controls=("label_smoothing", "class_mean")))).iloc[0]
    for name in ("label_smoothing", "class_mean"):
        assert found[f"gain_over_{name}_mean"] == pytest.approx(0.03 - 0.004)
        assert found[f"gain_over_{name}_ci95_low"] > 0
    assert found["explained_by"] == ""


def test_controls_that_explain_a_gain_are_named(runs, read) -> None:
    found = comparison(read(runs().point(0, gain=0.006, controls=("label_smoothing", "class_mean")))).iloc[0]
    assert (found["verdict"], found["explained_by"]) == ("better", "label_smoothing+class_mean")


def test_holm_counts_the_students_and_not_the_controls(tau_sweep, read) -> None:
    found = comparison(read(tau_sweep))
    students = found[found["role"] == "student"]
    assert students["p_value_holm"].min() == pytest.approx(5 * students["p_value"].min())
    assert found[found["role"] == "control"]["p_value_holm"].isna().all()


def test_validation_selects_and_the_test_set_does_not(tau_sweep, read) -> None:
    found = comparison(read(tau_sweep))
    chosen = found[found["selected"]]
    assert list(chosen["tau"]) == [4.0]
    assert chosen.iloc[0]["student_accuracy_mean"] < found["student_accuracy_mean"].max()


def test_nothing_is_selected_without_validation_or_alternatives(runs, read) -> None:
    assert not comparison(read(runs().point(0).point(1)))["selected"].any()
    assert not comparison(read(runs().point(0, validation=0.9)))["selected"].any()


def test_points_of_different_data_sets_do_not_compete(runs, read) -> None:
    built = runs().point(0, dataset="a", validation=0.8).point(1, dataset="b", validation=0.9)
    assert not comparison(read(built))["selected"].any()


def test_points_with_their_own_baselines_are_settings_of_their_own(runs, read) -> None:
    built = runs().point(0, student="small", baseline="s").point(1, student="tiny", baseline="t")
    found = comparison(read(built))
    assert list(found["setting"]) == [0, 1, 0, 1]
    assert list(found["role"]) == ["student", "student", "control", "control"]
    assert list(found["student"]) == ["small", "tiny", "small", "tiny"]


def test_a_sweep_over_teachers_shares_its_baselines(runs, read) -> None:
    found = comparison(read(runs().point(0, teacher="big").point(1, teacher="huge")))
    assert set(found["setting"]) == {0}
    assert list(found[found["role"] == "student"]["teacher"]) == ["big", "huge"]


def test_costs_are_told_with_their_ratios(runs, read) -> None:
    found = comparison(read(runs().point(0))).iloc[0]
    assert (found["compression"], found["speed_up"]) == (pytest.approx(5), pytest.approx(3))


def test_latencies_of_different_devices_are_not_compared(runs, read) -> None:
    built = runs().point(0)
    for row in built.rows:
        row["device"] = "cuda" if row["role"] == "teacher" else "cpu"
    found = comparison(read(built)).iloc[0]
    assert math.isnan(found["speed_up"])
    assert found["teacher_latency_ms"] == 0.3


def test_latency_at_the_training_batch_stands_at_the_end(runs, read) -> None:
    found = comparison(read(runs().point(0)))
    assert list(found.columns[-5:]) == [*LAST.split(), "label_weight"]
    assert tuple(found.iloc[0][LAST.split()]) == (64, 0.5, 3.0, pytest.approx(6))


def test_latencies_at_different_batches_are_not_compared(runs, read) -> None:
    built = runs().point(0)
    for row in built.rows:
        row["batch_size"] = 128 if row["role"] == "teacher" else 64
    found = comparison(read(built)).iloc[0]
    assert (found["batch_size"], found["student_latency_batch_ms"]) == (64, 0.5)
    assert math.isnan(found["teacher_latency_batch_ms"])
    assert math.isnan(found["speed_up_batch"])


def test_a_control_of_several_teachers_is_compared_to_none(runs, read) -> None:
    found = comparison(read(runs().point(0, teacher="big").point(1, teacher="huge")))
    control = found[found["role"] == "control"].iloc[0]
    assert control["teacher"] == ""
    assert all(math.isnan(control[name]) for name in ("gap_recovered", "agreement", "baseline_agreement", "speed_up"))
    assert control["gain_mean"] == pytest.approx(0.004)
    assert found[found["role"] == "student"]["agreement"].notna().all()


def test_points_with_other_validation_examples_are_selected_apart(runs, read) -> None:
    built = runs()
    for number, (part, validation) in enumerate([("a", 0.8), ("a", 0.7), ("b", 0.9), ("b", 0.95), ("c", 0.99)]):
        built.point(number, validation_id=part, validation=validation)
    found = comparison(read(built))
    assert list(found[found["selected"]]["point"]) == [0, 3]


def test_points_with_the_same_runs_are_one_question_and_one_choice(twins, read) -> None:
    found = comparison(read(twins))
    students = found[found["role"] == "student"].set_index("point")
    assert students["same_as"].tolist() == pytest.approx([math.nan, 0, math.nan], nan_ok=True)
    smallest, other = students.loc[0, "p_value"], students.loc[2, "p_value"]
    assert students["p_value_holm"].tolist() == pytest.approx([2 * smallest, 2 * smallest, other])
    assert students["selected"].tolist() == [True, False, False]


def test_the_same_runs_leave_nothing_to_select(twins, read) -> None:
    twins.rows = [row for row in twins.rows if row["point"] < 2]
    assert not comparison(read(twins))["selected"].any()


def test_large_seeds_are_paired_each_with_its_own(runs, read) -> None:
    built = runs().point(0)
    for row in built.rows:
        row["seed"] += 2**53
    assert comparison(read(built)).iloc[0]["n_seeds"] == 5
