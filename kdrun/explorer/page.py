"""The explorer as one HTML page that stands alone."""

from __future__ import annotations

import json
from base64 import b64encode
from itertools import groupby
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from kdrun import __version__
from kdrun.explorer.pictures import data_uri
from kdrun.explorer.rows import MOST_CLASSES, OF_MANY
from kdrun.explorer.view import View
from kdrun.explorer.words import TERMS, about, caveats
from kdrun.pages import render

TEMPLATE = Path(__file__).parent / "explain.html.j2"


def page(view: View, command: str) -> str:
    """The page. command: how to make it again, as it was typed."""
    from markupsafe import Markup

    numbers = json.dumps(_numbers(view), separators=(",", ":"), allow_nan=False)
    return render(
        TEMPLATE,
        # In JSON < stands in texts alone, so that no class name can end the script element.
        numbers=Markup(numbers.replace("<", "\\u003c")),
        title=f"{view.teacher.spec.model['name']} on {view.teacher.spec.dataset['name']}",
        networks=about(view),
        caveats=caveats(view),
        learners=list(view.learners),
        roles=list(view.answers.said),
        groups=_groups(view),
        taus=view.taus,
        start=view.taus.index(view.tau),
        alpha=view.alpha,
        has_matrix=bool(view.kept_taus),
        test_examples=len(view.answers.test),
        terms=TERMS,
        term={one.key: one.term for one in TERMS},
        command=command,
        version=__version__,
    )


def _groups(view: View) -> list[tuple[str, list[dict[str, Any]]]]:
    """The gallery: for each reason the examples with their pictures."""
    pictures = view.answers.pictures(torch.tensor([one.row for one in view.chosen]))
    numbered = enumerate(view.chosen)
    return [
        (why, [_example(view, number, one.row, pictures[number]) for number, one in group])
        for why, group in groupby(numbered, key=lambda item: item[1].why)
    ]


def _example(view: View, number: int, row: int, picture: Tensor) -> dict[str, Any]:
    test = view.answers.test
    return {
        "number": number,
        "id": int(test.ids[row]),
        "label": view.names[int(test.labels[row])],
        "picture": data_uri(picture),
    }


def _numbers(view: View) -> dict[str, Any]:
    """What the page's script computes with."""
    rows = torch.tensor([one.row for one in view.chosen])
    test = view.answers.test
    kept = [view.similarity(tau) for tau in view.kept_taus]
    return {
        "names": view.names,
        "taus": view.taus,
        "ids": test.ids[rows].tolist(),
        "labels": test.labels[rows].tolist(),
        "why": [one.why for one in view.chosen],
        "logits": {role: _packed(said.logits[rows]) for role, said in view.answers.said.items()},
        "kept_taus": view.kept_taus,
        "similarity": _packed(torch.stack(kept)) if kept else "",
        "most_classes": MOST_CLASSES,
        "of_many": OF_MANY,
    }


def _packed(numbers: Tensor) -> str:
    """Float32 in base64, little-endian: exact, and shorter than digits."""
    return b64encode(numbers.contiguous().float().numpy().astype("<f4").tobytes()).decode()
