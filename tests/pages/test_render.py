from __future__ import annotations

from pathlib import Path

import pytest
from jinja2 import UndefinedError

from kdrun.pages import SHARED, render


@pytest.fixture
def template(tmp_path: Path) -> Path:
    path = tmp_path / "small.html.j2"
    path.write_text(
        '{% extends "base.html.j2" %}{% from "parts.html.j2" import define %}'
        '{% block main %}<p>{{ name }}</p>{{ define("gain", name) }}{% endblock %}'
    )
    return path


def test_values_are_shown_as_text(template: Path) -> None:
    page = render(template, name="<script>alert('é')</script>")
    assert "<p>&lt;script&gt;alert(&#39;é&#39;)&lt;/script&gt;</p>" in page
    assert 'aria-label="What &lt;script&gt;' in page


def test_a_value_that_is_not_given_is_an_error(template: Path) -> None:
    with pytest.raises(UndefinedError, match="name"):
        render(template)


def test_style_and_scripts_stand_in_the_page_as_they_are_written(template: Path) -> None:
    page = render(template, name="")
    for file in ("style.css", "definitions.js", "sorting.js"):
        assert (SHARED / file).read_text(encoding="utf-8").strip() in page
    assert "default-src 'none'" in page
