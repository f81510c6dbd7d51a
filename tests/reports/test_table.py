from __future__ import annotations

import io

import pytest
from rich.console import Console

from kdrun.reports.comparison import comparison
from kdrun.reports.table import table


@pytest.fixture
def printed(read):
    """What a pipe of 80 columns gets, and the same as one line of words."""

    def render(built) -> tuple[str, str]:
        stream = io.StringIO()
        Console(width=80, file=stream).print(table(comparison(read(built))))
        return stream.getvalue(), " ".join(stream.getvalue().split())

    return render


def test_the_title_states_data_teacher_student_and_seeds(runs, printed) -> None:
    lines = printed(runs().point(0))[0].splitlines()
    assert lines[0] == "mnist5k: 1,500 examples in the test set"
    assert lines[1] == "teacher big, trained on 3,500 examples: 94.00 %"
    assert lines[2] == "student small, trained on 1,000 examples for 20 epochs, 5 seeds"


def test_each_row_of_the_table_is_one_line_of_80_columns(tau_sweep, printed) -> None:
    lines = printed(tau_sweep)[0].splitlines()
    assert max(map(len, lines)) <= 80
    assert [line.split() for line in lines if line.startswith("tau=1 ")] == [
        ["tau=1", "89.00", "±", "0.60", "+0.20", "[-0.22,", "0.62]", "not", "resolved", "4", "88.0"]
    ]
    for name in ("teacher big", "baseline (labels)", "label smoothing", "tau=4 *", "tau=16"):
        assert sum(line.startswith(name) and line[20:].strip()[:1].isdigit() for line in lines) == 1


def test_a_better_point_is_told_with_its_gains_over_baseline_and_control(runs, printed) -> None:
    assert (
        "kd at tau 4, alpha 0.7 beats the hard-label baseline by 3.00 [2.58, 3.42] points over 5 seeds, "
        "and label smoothing by 2.60 [2.37, 2.83]."
    ) in printed(runs().point(0))[1]


def test_a_control_that_may_explain_the_gain_is_named(runs, printed) -> None:
    text, words = printed(runs().point(0, gain=0.006))
    assert "  better (1)  " in text
    assert "(1) not shown to beat label smoothing, which alone may explain the gain" in text.splitlines()
    assert (
        "kd at tau 4, alpha 0.7 beats the hard-label baseline by 0.60 [0.18, 1.02] points over 5 seeds, "
        "but label smoothing alone may explain the gain. "
        "Not resolved over label smoothing (+0.20 [-0.03, 0.43] points)."
    ) in words


def test_a_worse_point_is_told_as_worse(runs, printed) -> None:
    words = printed(runs().point(0, gain=-0.02))[1]
    assert "is worse than the hard-label baseline: -2.00 [-2.42, -1.58] points over 5 seeds." in words
    assert "Worse than label smoothing (-2.40 [-2.63, -2.17] points)." in words


def test_a_gain_within_the_noise_is_told_as_not_resolved(runs, printed) -> None:
    assert (
        "The gain of kd at tau 4, alpha 0.7 over the hard-label baseline is not resolved: "
        "+0.20 [-0.22, 0.62] points over 5 seeds."
    ) in printed(runs().point(0, gain=0.002))[1]


def test_one_seed_is_told_to_have_no_interval(runs, printed) -> None:
    words = printed(runs(seeds=1).point(0))[1]
    assert "One seed: no interval. kd at tau 4, alpha 0.7 is at +3.40 points" in words
    assert "Intervals are" not in words


def test_equal_gains_are_told_to_have_no_interval(runs, printed) -> None:
    built = runs(seeds=2).point(0, controls=())
    for row in built.rows:
        row["test_accuracy"] = 0.75 if row["role"] == "student" else 0.5
    assert "+25.00 points over 2 seeds, the same for each, so there is no interval." in printed(built)[1]


def test_a_sweep_tells_what_validation_selects_and_counts_the_verdicts(tau_sweep, printed) -> None:
    words = printed(tau_sweep)[1]
    assert "The validation part selects kd at tau 4, alpha 0.7 (marked *), with 90.00 % there." in words
    assert "Of 5 points against the baseline: 4 better, 1 not resolved; 4 with p < 0.05 after Holm" in words
    assert "the teacher and the split of the data are fixed." in words


def test_a_sweep_without_validation_selects_nothing(runs, printed) -> None:
    words = printed(runs().point(0, overrides="tau=2").point(1, overrides="tau=4"))[1]
    assert "No point is selected" in words


def test_missing_runs_are_told(runs, printed) -> None:
    text, words = printed(runs().point(0, missing=(1, 2), controls=()))
    assert "3 of 5 seeds finished" in text
    assert "2 of 5 pairs of student and baseline are not finished." in words


def test_students_with_their_own_baselines_have_a_table_each(runs, printed) -> None:
    built = runs()
    for number, student in enumerate(("small", "tiny")):
        built.point(number, 0.02, student=student, baseline=student, overrides=f"student={student}")
    text, words = printed(built)
    assert text.count("baseline (labels)") == 2
    assert "student tiny, trained on" in text
    assert "kd at tau 4, alpha 0.7 (student=tiny) beats" in words


def test_names_are_text_and_not_markup(runs, printed) -> None:
    text = printed(runs().point(0, teacher="[red]t[/red]", student="[/]", knowledge="k|d :smile:"))[0]
    for name in ("teacher [red]t[/red]", "student [/],", "k|d :smile: at tau 4"):
        assert name in text


def test_control_characters_in_names_reach_no_terminal(runs, printed) -> None:
    assert "\x1b" not in printed(runs().point(0, student="a\x1b[31mb"))[0]


def test_a_long_name_folds_and_keeps_the_numbers_whole(runs, printed) -> None:
    text = printed(runs().point(0, teacher="t" * 60))[0]
    assert max(map(len, text.splitlines())) <= 80
    assert "+3.00 [2.58, 3.42]  better" in text


def test_each_set_of_explaining_controls_has_a_mark_of_its_own(runs, printed) -> None:
    built = runs().point(0, 0.006, overrides="tau=1").point(1, 0.03, overrides="tau=2")
    built.point(2, 0.006, controls=("label_smoothing", "class_mean"), overrides="tau=3")
    lines = printed(built)[0].splitlines()
    verdicts = [line.split("]")[1].split("  ")[1] for line in lines if line.startswith("tau=")]
    assert verdicts == ["better (1)", "better", "better (2)"]
    assert "(2) not shown to beat label smoothing and class mean, which alone may" in "\n".join(lines)
    assert max(map(len, lines)) <= 80


def test_a_point_without_a_temperature_is_told_without_one(runs, printed) -> None:
    text, words = printed(runs().point(0, tau=None, knowledge="logit_mse"))
    assert "logit_mse at alpha 0.7 beats" in words
    assert "tau" not in text
    assert "nan" not in text


def test_costs_are_told_at_both_batches(runs, printed) -> None:
    assert "0.1 ms at batch 1 on cpu (3.0x), 0.5 ms at batch 64 (6.0x)." in printed(runs().point(0))[1]


def test_a_latency_that_was_not_measured_is_not_told(runs, printed) -> None:
    built = runs().point(0)
    for row in built.rows:
        row["latency_batch_ms"] = row["batch_size"] = None
    words = printed(built)[1]
    assert "0.1 ms at batch 1 on cpu (3.0x)." in words
    assert "nan" not in words


def test_runs_without_a_teacher_are_compared_to_none_of_several(runs, printed) -> None:
    built = runs().point(0, teacher="big", overrides="teacher=big").point(1, teacher="huge", overrides="teacher=huge")
    lines = printed(built)[0].splitlines()
    cells = {line[:13]: line.split() for line in reversed(lines)}
    assert cells["baseline (lab"] == ["baseline", "(labels)", "88.80", "±", "0.57"]
    assert cells["label smoothi"][2:] == ["89.20", "±", "0.66", "+0.40", "[0.08,", "0.72]", "better"]
    assert cells["teacher=big  "][-2:] == ["58", "90.8"]


def test_points_with_the_same_runs_are_named_and_count_once(twins, printed) -> None:
    text, words = printed(twins)
    assert "tau=2: the same runs as tau=1" in text.splitlines()
    assert "Of 2 points against the baseline: 2 better; 2 with" in words
    assert "1 of the better ones may be explained" in words


def test_validation_parts_select_apart(runs, printed) -> None:
    built = runs()
    for number, part in enumerate("aabb"):
        told = {"overrides": f"dataset.split_seed={number}", "validation_id": part}
        built.point(number, tau=1 + number, validation=0.9 - number / 100, **told)
    words = printed(built)[1]
    for tau, accuracy in ((1, "90.00"), (3, "88.00")):
        assert (
            "Among the points with its validation examples, validation selects "
            f"kd at tau {tau}, alpha 0.7 (marked *), with {accuracy} % there."
        ) in words
