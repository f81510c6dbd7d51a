"""Every term in conf/knowledge shows every property, and each check catches the fault it is there for."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from importlib import import_module
from pathlib import Path

import pytest
import torch
from omegaconf import OmegaConf
from torch import Tensor, nn
from torch.nn import functional as F

from kdrun.errors import UserError
from kdrun.experiment.build import OF_THE_LOSS
from kdrun.knowledge.conformance import check_knowledge
from kdrun.signals import Batch, Pair, Signals

FOLDER = Path(__file__).parents[2] / "conf" / "knowledge"
FILES = sorted(FOLDER.glob("*/*.yaml"))


@pytest.mark.parametrize("file", FILES, ids=[str(file.relative_to(FOLDER).with_suffix("")) for file in FILES])
def test_every_term_offered_shows_every_property(file: Path) -> None:
    root = OmegaConf.create({"tau": 4.0, "term": OmegaConf.load(file)})
    numbers = OmegaConf.to_container(root, resolve=True)["term"]
    module, name = numbers.pop("_target_").rsplit(".", 1)
    for key in OF_THE_LOSS:
        numbers.pop(key, None)
    checks = check_knowledge(partial(getattr(import_module(module), name), **numbers))
    assert [check for check in checks if check.passed is False] == []


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_every_file_stands_under_its_own_name(file: Path) -> None:
    assert file.read_text().splitlines()[0] == f"# @package knowledge.{file.stem}"


Loss = Callable[["Term", Signals, Signals, Batch], Tensor]


class Term(nn.Module):
    """A term made of a function; right unless the function is wrong."""

    student_layers = ("pooled",)
    teacher_layers = ("pooled",)

    def __init__(self, pair: Pair, *, loss: Loss, **attributes: object) -> None:
        super().__init__()
        vars(self).update(attributes)
        self.loss = loss

    def forward(self, student: Signals, teacher: Signals, batch: Batch) -> Tensor:
        return self.loss(self, student, teacher, batch)


def usual(term: Term, student: Signals, teacher: Signals, batch: Batch) -> Tensor:
    own, taught = student.logits.float(), teacher.logits.float()
    if student.logits.dtype == torch.float64:
        own, taught = student.logits, teacher.logits
    return (own - taught.detach().clone()).square().mean()


def scaled(term: Term, student: Signals, teacher: Signals, batch: Batch) -> Tensor:
    return usual(term, student, teacher, batch) / term.tau


def cross_entropy(term: Term, student: Signals, teacher: Signals, batch: Batch) -> Tensor:
    return F.cross_entropy(student.logits, teacher.logits.detach().softmax(dim=1))


def with_cut_gradient(term: Term, student: Signals, teacher: Signals, batch: Batch) -> Tensor:
    return usual(term, student, teacher, batch) * student.features["pooled"].square().mean().detach()


def with_teacher_gradient(term: Term, student: Signals, teacher: Signals, batch: Batch) -> Tensor:
    return (student.logits - teacher.logits).square().mean()


def without_student(term: Term, student: Signals, teacher: Signals, batch: Batch) -> Tensor:
    return (0 * student.logits).sum() + 1


def keeping_the_teacher(term: Term, student: Signals, teacher: Signals, batch: Batch) -> Tensor:
    return usual(term, student, teacher, batch) + (student.logits * teacher.logits.detach()).mean() ** 2


def summed(term: Term, student: Signals, teacher: Signals, batch: Batch) -> Tensor:
    return usual(term, student, teacher, batch) * len(batch.labels)


def with_log_of_probs(term: Term, student: Signals, teacher: Signals, batch: Batch) -> Tensor:
    return usual(term, student, teacher, batch) - (1 - F.softmax(10 * student.logits, dim=1)).log().mean()


def with_inverse_spread(term: Term, student: Signals, teacher: Signals, batch: Batch) -> Tensor:
    spread = student.logits.var(dim=0, unbiased=False).sum() + student.features["pooled"].abs().sum()
    return usual(term, student, teacher, batch) / student.logits.var(dim=0, unbiased=False).sum() / spread


def with_length_as_divisor(term: Term, student: Signals, teacher: Signals, batch: Batch) -> Tensor:
    return usual(term, student, teacher, batch) / student.features["pooled"].square().sum()


def with_unbiased_variance(term: Term, student: Signals, teacher: Signals, batch: Batch) -> Tensor:
    return usual(term, student, teacher, batch) * student.logits.var(dim=0).sum().clamp(1, 2)


def remembering_outside(term: Term, student: Signals, teacher: Signals, batch: Batch) -> Tensor:
    term.memory = teacher.logits.detach().clone()
    return usual(term, student, teacher, batch)


def in_the_dtype_given(term: Term, student: Signals, teacher: Signals, batch: Batch) -> Tensor:
    return (student.logits - teacher.logits.detach().clone()).square().mean()


def reading_labels(term: Term, student: Signals, teacher: Signals, batch: Batch) -> Tensor:
    return usual(term, student, teacher, batch) * (1 + batch.labels[0])


FAULTS = [
    ("minimum at equality", cross_entropy, {}),
    ("gradients match finite differences", with_cut_gradient, {}),
    ("no gradient to the teacher", with_teacher_gradient, {}),
    ("no gradient to the teacher", without_student, {"minimum": None}),
    ("takes a teacher under inference mode", keeping_the_teacher, {"minimum": None}),
    ("mean over the batch", summed, {}),
    ("finite for logits of +-200", with_log_of_probs, {"minimum": None}),
    ("finite for duplicate rows", with_inverse_spread, {}),
    ("finite for dead features", with_length_as_divisor, {}),
    ("finite for a batch of one", with_unbiased_variance, {}),
    ("state dict holds everything", remembering_outside, {}),
    ("gradient scale constant in tau", scaled, {"tau": 4.0}),
    ("float32 under bf16 autocast", in_the_dtype_given, {}),
    ("labels only where it states so", reading_labels, {}),
]


@pytest.mark.parametrize(("name", "loss", "attributes"), FAULTS)
def test_a_fault_is_caught_by_the_check_that_is_named_for_it(
    name: str, loss: Loss, attributes: dict[str, object]
) -> None:
    checks = {check.name: check for check in check_knowledge(partial(Term, loss=loss, **attributes))}
    assert checks[name].passed is False, checks[name]


def test_a_faultless_term_passes_every_check_that_applies() -> None:
    assert {check.passed for check in check_knowledge(partial(Term, loss=usual))} == {True, None}


def test_what_a_term_says_of_itself_takes_checks_off_the_list() -> None:
    attributes = {
        "minimum": None,
        "per_example": False,
        "tau": 4.0,
        "constant_in_tau": False,
        "reads_labels": True,
    }
    checks = check_knowledge(partial(Term, loss=usual, **attributes))
    off = {"minimum at equality", "mean over the batch", "gradient scale constant in tau"}
    off |= {"labels only where it states so"}
    assert {check.name for check in checks if check.passed is None} == off


def test_an_adapter_that_is_kept_outside_the_state_dict_is_caught() -> None:
    def make(pair: Pair) -> Term:
        return Term(pair, loss=usual, scales=[torch.ones(3, requires_grad=True)])

    checks = {check.name: check for check in check_knowledge(make)}
    assert checks["state dict holds everything"].detail == "not in the state dict: Term.scales"


def test_a_term_that_refuses_unlike_networks_is_tried_on_like_ones() -> None:
    def make(pair: Pair) -> Term:
        if pair.student.features["pooled"].shape != pair.teacher.features["pooled"].shape:
            raise UserError("unequal")
        return Term(pair, loss=usual)

    assert all(check.passed is not False for check in check_knowledge(make))


def test_a_term_that_is_no_module_is_refused() -> None:
    with pytest.raises(UserError, match=r"function is no torch\.nn\.Module"):
        check_knowledge(lambda pair: partial(usual, None).func)
