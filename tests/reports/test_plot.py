from __future__ import annotations

import io

from kdrun.reports.comparison import comparison
from kdrun.reports.plot import gain_figure


def _axes(rows):
    figure = gain_figure(comparison(rows))
    figure.savefig(io.BytesIO(), format="png")  # a figure that cannot be drawn is no figure
    return figure.axes[0]


def test_gains_of_a_temperature_sweep_stand_over_tau(tau_sweep, read) -> None:
    axes = _axes(read(tau_sweep))
    assert axes.get_xscale() == "log"
    assert [label.get_text() for label in axes.get_xticklabels()] == ["1", "2", "4", "8", "16"]
    assert "percentage points" in axes.get_ylabel()
    legend = [text.get_text() for text in axes.figure.legends[0].get_texts()]
    assert legend == ["hard-label baseline", "label smoothing", "kd"]


def test_intervals_are_drawn_in_points(tau_sweep, read) -> None:
    found = comparison(read(tau_sweep))
    axes = gain_figure(found).axes[0]
    student = found[found["tau"] == 4].iloc[0]
    (bars,) = axes.containers[0].lines[2]
    segment = bars.get_segments()[2]
    assert sorted(segment[:, 1]) == [100 * student["gain_ci95_low"], 100 * student["gain_ci95_high"]]


def test_other_sweeps_have_a_labelled_row_for_each_point(runs, read) -> None:
    built = runs()
    for number, (tau, alpha) in enumerate([(2, 0.5), (2, 0.9), (4, 0.5)]):
        built.point(number, tau=tau, alpha=alpha, overrides=f"tau={tau} alpha={alpha}")
    labels = [label.get_text() for label in _axes(read(built)).get_yticklabels()]
    assert labels == ["label smoothing", "tau=2 alpha=0.5", "tau=2 alpha=0.9", "tau=4 alpha=0.5"]


def test_students_with_their_own_baselines_stand_beside_their_own_controls(runs, read) -> None:
    built = runs()
    for number, student in enumerate(("small", "tiny")):
        built.point(number, tau=2 + number, student=student, baseline=student, overrides=f"student={student}")
    labels = [label.get_text() for label in _axes(read(built)).get_yticklabels()]
    assert labels == [
        "label smoothing (student=small)",
        "student=small",
        "label smoothing (student=tiny)",
        "student=tiny",
    ]


def test_one_seed_and_missing_runs_can_be_drawn(runs, read) -> None:
    built = runs(seeds=1).point(0, overrides="tau=1", tau=1).point(1, overrides="tau=4", missing=(0,))
    assert "no interval" in _axes(read(built)).figure.get_suptitle()


def test_dollar_signs_in_names_are_no_formulas(runs, read) -> None:
    axes = _axes(read(runs().point(0, student=r"$\frac$", knowledge="$x_1$", controls=("_$a$",))))
    assert r"$\frac$" in axes.figure.get_suptitle()


def test_points_without_a_temperature_are_rows_and_the_same_runs_one(twins, read) -> None:
    axes = _axes(read(twins))
    assert axes.get_xscale() == "linear"
    assert [label.get_text() for label in axes.get_yticklabels()] == ["label smoothing", "tau=1", "tau=4"]
