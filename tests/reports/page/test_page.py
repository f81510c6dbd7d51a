"""What stands in the page, from the files of a report's folder."""

from __future__ import annotations

import re
from html import unescape
from pathlib import Path

import pytest

from kdrun.reports.write import write_report

EVIL = "<script>alert(\"x\")</script> 'é' & \u202e$\\alpha$ \x07"


def _page(folder: Path) -> str:
    write_report(folder)
    return (folder / "report.html").read_text(encoding="utf-8")


@pytest.fixture
def made(tmp_path: Path):
    """The page of what a builder holds, with its details."""
    return lambda built, **given: _page(built.write_details(built.write(tmp_path / "night"), **given))


def _titles(page: str) -> list[str]:
    return [unescape(title) for title in re.findall(r"<h3>(.*?)</h3>", page)]


def test_the_headline_is_the_verdict_with_gain_interval_and_seeds(tau_sweep, made) -> None:
    page = made(tau_sweep)
    assert (
        "<h1>kd at tau 4, alpha 0.7 beats the hard-label baseline by 2.90 [2.48, 3.32] points over 5 seeds.</h1>"
        in page
    )
    assert "student small, trained on 1,000 examples for 20 epochs, 5 seeds" in page


def test_a_gain_that_a_control_may_explain_says_so_in_the_headline(runs, made) -> None:
    assert "but label smoothing alone may explain the gain.</h1>" in made(runs().point(0, gain=0.006))


def test_several_points_of_which_none_is_selected_are_counted_in_the_headline(runs, made) -> None:
    page = made(runs().point(0).point(1, gain=0.0, overrides="b"))
    assert "<h1>Of 2 points against the baseline: 1 better, 1 not resolved;" in page
    assert "validation selects none, and the test set must not choose" in page


def test_a_temperature_sweep_has_every_picture(tau_sweep, made) -> None:
    assert _titles(made(tau_sweep)) == [
        "Gain against tau",
        "Accuracy against parameters",
        "Accuracy against latency",
        "Learning curves",
        "Gain by class",
        "Reliability",
        "Change in confusions",
    ]


def _grid(runs, alphas: int):
    built = runs(seeds=3)
    pairs = [(tau, (step + 1) / alphas) for tau in (1, 4, 8) for step in range(alphas)]
    for number, (tau, alpha) in enumerate(pairs):
        built.point(
            number,
            0.01 * alpha,
            tau=tau,
            alpha=alpha,
            overrides=f"tau={tau} alpha={alpha}",
            validation=0.9 + number / 1000,
        )
    return built


def test_temperatures_and_alphas_give_curves_and_a_grid(runs, made) -> None:
    page = made(_grid(runs, 2))
    assert _titles(page)[:2] == ["Gain against tau", "Gain by tau and alpha"]
    assert {"kd, alpha 0.5", "kd, alpha 1"} <= set(re.findall(r">([^<>]+)</text>", page))


def test_of_many_alphas_the_selected_one_is_a_curve(runs, made) -> None:
    page = made(_grid(runs, 6))
    labels = set(re.findall(r">([^<>]+)</text>", page))
    assert "kd, alpha 1" in labels
    assert "kd, alpha 0.5" not in labels
    assert "Every alpha is in the picture by tau and alpha." in page


def test_points_that_differ_in_more_than_tau_and_alpha_are_rows(runs, made) -> None:
    built = _grid(runs, 2)
    for number in range(2):
        built.point(6 + number, tau=1 + 3 * number, alpha=0.5, overrides=f"knowledge.kd.weight={number}")
    assert _titles(made(built))[:2] == ["Gain at each point", "Accuracy against parameters"]


def test_latencies_of_different_devices_are_not_in_one_picture(runs, made) -> None:
    built = runs(seeds=2).point(0).point(1, device="cuda", overrides="b")
    assert "Points that were timed elsewhere are left out." in made(built)
    for row in built.rows:
        row["device"] = "cuda" if row["role"] == "teacher" else "cpu"
    assert "Accuracy against latency" not in _titles(made(built))


def test_a_report_of_which_no_student_is_finished_is_a_page(runs, made) -> None:
    page = made(runs(seeds=2).point(0, missing=(0, 1)))
    assert "no seed has both a finished baseline and a finished student" in page
    assert _titles(page) == ["Gain at each point"]


def test_of_very_many_points_both_ends_are_drawn_and_all_are_in_the_table(runs, made) -> None:
    built = runs(seeds=2)
    for number in range(100):
        built.point(number, number / 10000, overrides=f"train.student.epochs={number}", validation=0.9 - number / 1000)
    page = made(built)
    drawn = re.findall(r">(train\.student\.epochs=\d+)</text>", page)
    assert sorted(drawn) == sorted(f"train.student.epochs={number}" for number in (*range(12), *range(88, 100)))
    assert len(re.findall(r'<th scope="row">train', page)) == 100
    assert len(page.encode()) < 1_000_000


def test_names_are_shown_as_text(runs, tmp_path: Path) -> None:
    built = runs(seeds=2)
    for number in range(2):
        told = {"student": EVIL, "dataset": EVIL, "knowledge": EVIL, "overrides": f"{number}{EVIL}", "device": EVIL}
        built.point(number, teacher=EVIL, controls=(EVIL,), **told)
    for row in built.rows:
        row["run_id"] = f"{EVIL}{row['run_id']}"
    folder = built.write(tmp_path / "<img src=x onerror=alert(1)>", name=EVIL, command=EVIL, created=EVIL, version=EVIL)
    built.write_details(folder, class_names=(EVIL, "b\"'"))
    (folder / "classes.csv").write_text(
        (folder / "classes.csv").read_text().replace("mnist5k", '"' + EVIL.replace('"', '""') + '"')
    )
    page = _page(folder)
    assert page.count("<script") == page.count("</script>") == 1
    assert "<img" not in page
    assert "\x07" not in page
    assert page.count("&lt;script&gt;") > 20
    assert "<script" not in (folder / "report.md").read_text(encoding="utf-8").replace("\\<", "").partition("```")[0]


def test_ids_are_unique_and_lead_somewhere(tau_sweep, made) -> None:
    page = made(tau_sweep)
    ids = re.findall(r'\bid="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    wanted = re.findall(r'(?:href="#|url\(#|popovertarget="|describedby=")([^")]+)', page)
    assert set(wanted) <= set(ids)


def test_nothing_is_asked_from_outside(tau_sweep, made) -> None:
    page = made(tau_sweep)
    assert not re.findall(r"https?://|//[a-z]+\.|@import|url\((?!#)", page)
    links = set(re.findall(r'(?:href|src)="([^"#]+)"', page))
    assert links == {
        "data:,",
        "runs.csv",
        "comparison.csv",
        "curves.csv",
        "class_gains.csv",
        "reliability.csv",
        "confusion.csv",
    }


def test_the_page_says_how_to_make_it_again(tau_sweep, made) -> None:
    for row in tau_sweep.rows:
        row |= {"torch": "2.15.0", "hardware": "x86_64", "kdrun": "0.1"}
    page = made(tau_sweep)
    assert "<code>kdrun distill tau=4</code>" in page
    assert re.search(r"36 runs made with device cpu, precision fp32, hardware x86_64, kdrun 0.1, torch 2.15.0\.", page)
    assert '<td><code>student-4-3</code></td><td>student</td><td class="number">3</td><td>finished</td>' in page


def test_what_is_missing_is_said_and_the_rest_is_shown(runs, tmp_path: Path) -> None:
    built = runs().point(0, missing=(1,))
    folder = built.write_details(built.write(tmp_path / "night", rows=17))
    (folder / "curves.csv").unlink()
    (folder / "reliability.csv").write_text((folder / "reliability.csv").read_text()[:-20])
    page = unescape(_page(folder))
    for line in (
        "runs.csv has 16 of 17 rows",
        "1 of 16 runs is not finished: student, seed 1 (student-0-1)",
        "curves.csv is missing, so there are no learning curves: run the command again",
        "reliability.csv lacks test examples of student-0-4",
    ):
        assert f"<li>{line}</li>" in page
    assert _titles(page)[-3:] == ["Gain by class", "Reliability", "Change in confusions"]


def test_a_whole_report_says_nothing_of_what_is_missing(tau_sweep, made) -> None:
    assert "What is missing" not in made(tau_sweep)


def test_without_any_details_the_comparison_is_still_shown(tau_sweep, tmp_path: Path) -> None:
    page = _page(tau_sweep.write(tmp_path / "night"))
    assert _titles(page) == ["Gain against tau", "Accuracy against parameters", "Accuracy against latency"]
    assert "confusion.csv is missing" in page


def test_one_seed_and_one_point_without_a_finished_student_can_be_shown(runs, made) -> None:
    page = made(runs(seeds=1).point(0, overrides="tau=1", tau=1).point(1, overrides="tau=4", missing=(0,)))
    assert "one seed" in page
    assert _titles(page)[-4:] == ["Learning curves", "Gain by class", "Reliability", "Change in confusions"]


def test_without_validation_the_curves_are_losses(runs, tmp_path: Path) -> None:
    built = runs(seeds=2).point(0)
    folder = built.write_details(built.write(tmp_path / "night"))
    text = (folder / "curves.csv").read_text().replace("validation_accuracy", "train_ce")
    (folder / "curves.csv").write_text(text)
    assert "There is no validation part: mean cross-entropy" in _page(folder)
    (folder / "curves.csv").write_text(text.replace("train_ce", "train_kd"))
    assert "own training loss" in _page(folder)


def test_rows_carry_the_numbers_that_they_are_sorted_by(tau_sweep, made) -> None:
    page = made(tau_sweep)
    row = re.search(r'<th scope="row">tau=4 .*?</tr>', page, re.DOTALL)
    assert row is not None
    assert re.findall(r'data-value="([^"]*)"', row[0]) == ["91.70", "2.90", "56", "90.7", "0.0830", "0.0207", "3.0"]
