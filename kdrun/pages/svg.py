"""Matplotlib figures as inline SVG: text as text, in the page's font and colours, small, and with names of its own."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING
from xml.etree import ElementTree

if TYPE_CHECKING:
    from markupsafe import Markup
    from matplotlib.figure import Figure

Element = ElementTree.Element

REFERENCE = re.compile(r"#([\w.-]+)")


def inline(figure: Figure, name: str, description: str, colours: Mapping[str, str]) -> Markup:
    """A figure as an `svg` element.

    name: unlike that of every other picture of the page; begins the ids within.
    description: what the picture shows, for those who do not see it.
    colours: CSS colours such as `var(--ink)` by the colours `#rrggbb` that they stand for.
    """
    import matplotlib as mpl
    from markupsafe import Markup

    stream = io.BytesIO()
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "kdrun"}):  # the same numbers give the same picture
        nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
        figure.savefig(stream, format="svg", transparent=True, metadata=nothing)
    root = ElementTree.fromstring(stream.getvalue())
    _drop_styles(root)
    referred = {match for part in root.iter() for value in _references(part) for match in REFERENCE.findall(value)}
    for part in root.iter():
        _shorten(part, name, referred, colours)
    for size in ("width", "height", "version"):
        del root.attrib[size]
    root.attrib |= {"role": "img", "aria-label": description}
    return Markup(ElementTree.tostring(root, encoding="unicode"))


def _drop_styles(root: Element) -> None:
    """Without Matplotlib's sheet, which would hold for the whole page (see `figure svg` in style.css)."""
    for part in list(root.iter()):
        for child in list(part):
            if child.tag.endswith("}style") or child.tag.endswith("}metadata"):
                part.remove(child)


def _references(part: Element) -> list[str]:
    return [value for key, value in part.items() if key.endswith("href") or key == "clip-path"]


def _shorten(part: Element, name: str, referred: set[str], colours: Mapping[str, str]) -> None:
    part.tag = part.tag.rpartition("}")[2]
    part.text, part.tail = _unless_blank(part.text), _unless_blank(part.tail)
    given = {key.rpartition("}")[2]: value for key, value in part.items()}
    if given.get("id") not in referred:
        given.pop("id", None)
    for key, value in given.items():
        if key == "id":
            given[key] = f"{name}-{value}"
        elif key in ("href", "clip-path"):
            given[key] = REFERENCE.sub(rf"#{name}-\1", value)
        elif key == "style":
            given[key] = _style(value, colours)
        elif key in ("d", "x", "y", "transform"):
            given[key] = " ".join(re.sub(r"-?\d+\.\d+", _rounded, value).split())
    if given.get("transform", "").startswith(("rotate(-0 ", "rotate(0 ")):
        del given["transform"]
    part.attrib.clear()
    part.attrib |= given


def _style(text: str, colours: Mapping[str, str]) -> str:
    """Colours by their names, and the page's font."""
    rules = [rule for rule in text.split("; ") if not rule.startswith("font-family")]
    return ";".join(re.sub(r"#[0-9a-f]{6}", lambda match: colours.get(match[0], match[0]), rule) for rule in rules)


def _rounded(match: re.Match[str]) -> str:
    return f"{float(match[0]):.2f}".rstrip("0").rstrip(".")


def _unless_blank(text: str | None) -> str | None:
    return text if text and text.strip() else None
