"""Pages that stand alone: one HTML file with its style, script and pictures inside, and nothing from outside."""

from __future__ import annotations

from pathlib import Path
from typing import Any

SHARED = Path(__file__).parent


def render(template: Path, **values: Any) -> str:
    """A page from a template that extends `base.html.j2`.

    Every value is shown as text unless it is Markup; a value that is not given raises jinja2.UndefinedError.

    template: a file; it may include the files beside it, and import `parts.html.j2`.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader([template.parent, SHARED]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    return environment.get_template(template.name).render(values)
