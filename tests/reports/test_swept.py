"""Sweeps over one number."""

from __future__ import annotations

import io
import math

import pytest

from kdrun.reports.comparison import comparison
from kdrun.reports.page.overview import overview
from kdrun.reports.plot import gain_figure
from kdrun.reports.swept import number, over_one_number


def _rows(*overrides: str) -> list[dict[str, object]]:
    return [{"overrides": text} for text in overrides]


@pytest.mark.parametrize(
    ("overrides", "key"),
    [
        (("train_size=100", "train_size=500", "train_size=1000"), "train_size"),
        (("train.student.optimizer.lr=1e-3", "train.student.optimizer.lr=.01"), None),
        (("lr=1e-3", "lr=0.003", "lr=0.01"), "lr"),
        (("alpha=0.5", "alpha=0.7", "alpha=0.9"), None),  # less than a decade
        (("alpha=0", "alpha=0.1", "alpha=1"), None),  # 0 has no logarithm
        (("train_size=100", "train_size=1000"), None),  # two values
        (("train_size=100 tau=1", "train_size=500 tau=1", "train_size=1000 tau=1"), None),
        (("train_size=100", "tau=4", "train_size=1000"), None),
        (("train_size=100", "train_size=100", "train_size=500", "train_size=1000"), None),  # several rows a point
        (("student=mlp30", "student=mlp64", "student=mlp800"), None),
    ],
)
def test_one_key_with_at_least_three_numbers_over_a_decade(overrides: tuple[str, ...], key: str | None) -> None:
    assert over_one_number(_rows(*overrides)) == key


def test_the_number_is_that_of_the_overrides() -> None:
    shown, shared = _rows("lr=1e-3", "")
    assert number(shown) == 0.001
    assert math.isnan(number(shared))


@pytest.fixture
def sizes(runs):
    """Students of three sizes of their training part, each with its own baseline and control."""
    built = runs()
    for place, (size, gain) in enumerate([(100, 0.04), (1000, 0.02), (5000, 0.004)]):
        built.point(place, gain, train_size=size, baseline=f"b{size}", overrides=f"train_size={size}")
    return built


def test_gains_stand_over_the_number_on_a_log_axis_beside_their_own_controls(sizes, read) -> None:
    figure = gain_figure(comparison(read(sizes)))
    figure.savefig(io.BytesIO(), format="png")
    (axes,) = figure.axes
    assert (axes.get_xscale(), axes.get_xlabel()) == ("log", "train_size")
    assert [label.get_text() for label in axes.get_xticklabels()] == ["100", "1,000", "5,000"]
    curves = {container.get_label(): container.lines[0] for container in axes.containers}
    assert {name: list(line.get_xdata()) for name, line in curves.items()} == {
        "label smoothing": [100, 1000, 5000],
        "kd": [100, 1000, 5000],
    }
    assert list(curves["kd"].get_ydata()) == pytest.approx([4, 2, 0.4])


def test_the_page_draws_the_same_curve(sizes, read) -> None:
    first = overview(comparison(read(sizes)))[0]
    assert first.title == "Gain against train_size"
    assert ">5,000<" in str(first.svg)
