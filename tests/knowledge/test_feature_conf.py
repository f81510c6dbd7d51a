"""Every term of conf/knowledge/feature, with its file's numbers, keeps what a knowledge term promises."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from pydoc import locate
from typing import Any

import pytest
import torch
from omegaconf import OmegaConf
from torch import nn

from kdrun.errors import UserError
from kdrun.experiment.build import OF_THE_LOSS
from kdrun.knowledge import made_up
from kdrun.knowledge.conformance import check_knowledge

FOLDER = Path(__file__).parents[2] / "conf" / "knowledge" / "feature"
FILES = sorted(FOLDER.glob("*.yaml"))
NAMES = [file.stem for file in FILES]

# gamma * CE + beta * L as published: (gamma, beta)
PUBLISHED = {
    "fitnet": (1, 100),
    "attention": (1, 1000),
    "nst": (1, 50),
    "vid": (1, 1),
    "factor": (1, 200),
    "overhaul": (1, 1e-3),
    "reviewkd": (1, 1),
    "simkd": (1, 1),  # gamma is 0 in the paper: alpha 1
}


def numbers(file: Path) -> dict[str, Any]:
    return dict(OmegaConf.load(file))


def maker(file: Path) -> partial[nn.Module]:
    term = numbers(file)
    built = locate(term.pop("_target_"))
    assert isinstance(built, type)
    return partial(built, **{key: value for key, value in term.items() if key not in OF_THE_LOSS})


@pytest.mark.parametrize("file", FILES, ids=NAMES)
def test_the_term_passes_every_check(file: Path) -> None:
    failed = [check for check in check_knowledge(maker(file)) if check.passed is False]
    assert failed == []


@pytest.mark.parametrize("file", FILES, ids=NAMES)
def test_the_weight_is_the_published_one(file: Path) -> None:
    gamma, beta = PUBLISHED[file.stem]
    assert numbers(file)["weight"] == beta / gamma


@pytest.mark.parametrize("file", FILES, ids=NAMES)
def test_the_file_adds_a_term_under_its_own_name(file: Path) -> None:
    assert file.read_text().splitlines()[0] == f"# @package knowledge.{file.stem}"


@pytest.mark.parametrize("file", FILES, ids=NAMES)
def test_the_term_trains_from_bf16_features_on_the_shapes_of_the_field(file: Path) -> None:
    pair = made_up.example_pair(student_width=4, teacher_width=8)
    torch.manual_seed(0)
    term = maker(file)(pair)
    student, teacher = (
        made_up.mapped(made_up.signals(side, seed), lambda value: value.bfloat16().requires_grad_())
        for seed, side in enumerate(pair[:2])
    )
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = term(student, teacher, made_up.batch(pair))
    loss.backward()
    gradients = [value.grad for value in (*student.features.values(), *term.parameters())]
    assert loss.dtype == torch.float32
    assert all(gradient.isfinite().all() for gradient in gradients if gradient is not None)
    assert all(parameter.grad is not None for parameter in term.parameters())
    assert all(value.grad is None for value in teacher.features.values())


@pytest.mark.parametrize("file", FILES, ids=NAMES)
def test_a_network_that_names_no_stages_is_refused_in_one_line(file: Path) -> None:
    pair = made_up.example_pair()
    bare = pair.student._replace(features={"pooled": pair.student.features["pooled"]})
    with pytest.raises(UserError) as caught:
        maker(file)(pair._replace(student=bare))
    assert "pooled" in caught.value.message
    assert "\n" not in caught.value.message
