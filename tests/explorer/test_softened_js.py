"""The page's arithmetic is Python's."""

from __future__ import annotations

import json
import shutil
import subprocess
from typing import Any

import pytest
import torch
from torch import Tensor

import kdrun.explorer.page
from kdrun.metrics.softened import entropy, gradient, outside_top, softened

SCRIPT = kdrun.explorer.page.TEMPLATE.with_name("softened.js")
CALL = """([student, teacher, label, tau, alpha]) => {
  const probs = softened(teacher, tau);
  return [probs, entropy(probs), outsideTop(probs), gradient(student, teacher, label, tau, alpha)];
}"""


def _cases() -> list[tuple[list[float], list[float], int, float, float]]:
    generator = torch.Generator().manual_seed(11)

    def drawn(count: int, scale: float) -> list[float]:
        return (scale * torch.randn(count, generator=generator)).tolist()

    asked = [([3.0, 0.5, -0.5], [4.0, 2.0, 0.0], 0, tau, alpha) for tau in (1, 2, 4) for alpha in (0, 0.7, 1)]
    random = [
        (drawn(count, scale), drawn(count, scale), count // 2, tau, 0.3)
        for count in (2, 10, 100)
        for scale in (0.1, 5.0, 60.0)
        for tau in (0.5, 1.0, 20.0)
    ]
    extreme = [([0.0, 1e4], [1e4, 0.0], 1, 1.0, 0.5), ([0.0] * 5, [0.0] * 5, 4, 3.0, 0.5)]
    return [*asked, *random, *extreme]


def _in_python(student: list[float], teacher: list[float], label: int, tau: float, alpha: float) -> list[Any]:
    own, taught = (torch.tensor([logits], dtype=torch.float64) for logits in (student, teacher))
    probs = softened(taught, tau=tau)
    pulls: Tensor = gradient(own, taught, torch.tensor([label]), tau=tau, alpha=alpha)
    return [probs[0].tolist(), entropy(probs).item(), outside_top(probs).item(), pulls[0].tolist()]


def _assert_alike(found: list[Any], case: Any) -> None:
    for one, expected in zip(found, _in_python(*case), strict=True):
        assert one == pytest.approx(expected, rel=1e-12, abs=1e-14)


@pytest.mark.skipif(shutil.which("node") is None, reason="there is no node")
def test_node_computes_what_python_computes() -> None:
    program = f"{SCRIPT.read_text()};console.log(JSON.stringify({json.dumps(_cases())}.map({CALL})))"
    ended = subprocess.run(["node", "-e", program], capture_output=True, text=True, check=True)
    for found, case in zip(json.loads(ended.stdout), _cases(), strict=True):
        _assert_alike(found, case)


def test_the_page_computes_what_python_computes(show: Any, make_view: Any) -> None:
    page = show(make_view()).page
    for case in _cases():
        _assert_alike(page.evaluate(CALL, list(case)), case)
