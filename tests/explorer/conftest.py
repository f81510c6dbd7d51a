"""Views of made-up networks, and a browser to look at their pages."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from browser import Shown, opened

from kdrun.data.split import Part
from kdrun.experiment.answers import Answers, Said
from kdrun.explorer.page import page
from kdrun.explorer.view import View, view
from kdrun.runs.spec import RunSpec

NAMES = ("cat", "dog", "<script>alert(1)</script>", "\"quotes\" & 'more'", "日本語 ñ")

TEACHER = RunSpec(
    kind="teacher",
    seed=0,
    data_seed=0,
    dataset={"name": "blobs"},
    train_size=None,
    model={"name": "mlp<script>alert(2)</script>"},
    recipe={"epochs": 3},
    precision="fp32",
)
STUDENT = replace(
    TEACHER,
    kind="student",
    alpha=0.7,
    label_weight=None,
    terms={"kd": {"tau": 4.0, "weight": 1.0, "standardise": False}},
    teacher=TEACHER,
)

MakeView = Callable[..., View]
ShowView = Callable[..., Shown]


@pytest.fixture
def make_view() -> MakeView:
    def make(
        *,
        names: tuple[str, ...] = NAMES,
        student: RunSpec | None = STUDENT,
        has_baseline: bool = True,
        channels: int = 1,
        tau: float = 4.0,
        alpha: float = 0.7,
        example: int | None = None,
    ) -> View:
        generator, count = torch.Generator().manual_seed(5), len(names)
        number = max(100, 2 * count)
        labels = torch.arange(number) % count
        images = torch.randint(256, (number, channels, 8, 8), dtype=torch.uint8, generator=generator)
        runs = {"teacher": TEACHER}
        if student is not None:
            runs |= {"baseline": student.baseline} if has_baseline else {}
            runs[student.kind] = student
        towards = 4 * torch.nn.functional.one_hot(labels, count)
        said = {
            role: Said(run, towards + 3 * torch.randn(number, count, generator=generator)) for role, run in runs.items()
        }
        answers = Answers(Part(images, labels, 1000 + torch.arange(number)), names, said)
        return view(answers, tau=tau, alpha=alpha, example=example)

    return make


@pytest.fixture
def show(browser: Any, tmp_path: Path) -> Iterator[ShowView]:
    """Opens a view's page. At the end nothing may have been complained of, or asked for outside of the page."""
    with ExitStack() as windows:
        pages = []

        def show_(shown: View, **how: bool) -> Shown:
            path = tmp_path / "explain.html"
            path.write_text(page(shown, "kdrun explain <b>run</b>"), encoding="utf-8")
            pages.append(windows.enter_context(opened(browser, path, **how)))
            return pages[-1]

        yield show_
        for one in pages:
            assert one.troubles == []
            assert [address for address in one.asked if not address.startswith("data:")] == []
