from __future__ import annotations

import re

import pytest
from matplotlib.figure import Figure

from kdrun.pages.svg import inline


@pytest.fixture
def figure() -> Figure:
    figure = Figure(figsize=(3, 2))
    axes = figure.add_subplot()
    axes.plot([1, 2], [1, 2], "o-", color="#1f5fa8", label='<script>"é" #1f5fa8')
    axes.legend()
    return figure


def test_texts_are_texts_and_escaped(figure: Figure) -> None:
    svg = inline(figure, "gain", 'x"<b>', {})
    assert '>&lt;script&gt;"é" #1f5fa8</text>' in svg
    assert 'aria-label="x&quot;&lt;b&gt;"' in svg
    assert "<script" not in svg


def test_colours_get_their_names_in_styles_and_nowhere_else(figure: Figure) -> None:
    svg = inline(figure, "gain", "", {"#1f5fa8": "var(--student)"})
    assert "stroke: var(--student)" in svg
    assert svg.count("#1f5fa8") == 1  # the label


def test_ids_begin_with_the_name_and_are_those_that_are_referred_to(figure: Figure) -> None:
    svg = inline(figure, "gain", "", {})
    ids = set(re.findall(r' id="([^"]+)"', svg))
    assert ids == set(re.findall(r'(?:href="#|url\(#)([^")]+)', svg))
    assert all(one.startswith("gain-") for one in ids)
    assert ids


def test_nothing_in_it_holds_for_the_whole_page(figure: Figure) -> None:
    svg = inline(figure, "gain", "", {})
    assert "<style" not in svg
    assert "font-family" not in svg
    assert re.match(r'<svg viewBox="[^"]+" role="img"', svg)


def test_the_same_figure_gives_the_same_text(figure: Figure) -> None:
    assert inline(figure, "gain", "", {}) == inline(figure, "gain", "", {})
