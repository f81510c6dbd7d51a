"""A picture of the page, with its words."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from kdrun.pages.svg import inline
from kdrun.reports.drawing import NAMED

if TYPE_CHECKING:
    from markupsafe import Markup
    from matplotlib.figure import Figure

WIDTH = 4.4  # inches; its letters can still be read on a telephone


class Picture(NamedTuple):
    """data: the name of the file beside the page that holds its numbers."""

    title: str
    svg: Markup
    caption: str
    data: str


def picture(name: str, title: str, caption: str, data: str, figure: Figure) -> Picture:
    """A figure as a part of the page.

    name: unlike that of every other picture.
    """
    return Picture(title, inline(figure, name, f"{title}. {caption}", NAMED), caption, data)
