"""What every knowledge term must show before its results are trusted, checked on made-up signals.

Used by `kdrun check-knowledge` and by the tests of every term in conf/knowledge.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from kdrun.errors import UserError, where
from kdrun.knowledge import made_up
from kdrun.knowledge.made_up import example_pair
from kdrun.knowledge.trial import Make, Verdict, bare_tensors, build, finite, gradients, largest, value_of
from kdrun.signals import Pair, Signals

# What a loss may raise on signals that it cannot take; anything else is a bug of the check itself.
_LOSS_ERRORS = (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError)


@dataclass(frozen=True)
class Check:
    """One property of a term: its name, whether it holds (None: does not apply), and what was seen."""

    name: str
    passed: bool | None
    detail: str


def check_knowledge(make: Make, pair: Pair | None = None) -> list[Check]:
    """Runs the whole list on a term.

    make: builds the term for a pair, as `partial(Term, tau=4.0)` does. A term that refuses a pair of unlike
        shapes is checked on two networks with the teacher's shapes.
    pair: shapes of the signals it is tried on; `example_pair()` when None.
    Returns one Check for each property, always the same names in the same order.
    Raises UserError where the term refuses even a pair of like shapes.
    """
    unlike = pair or example_pair()
    like = unlike._replace(student=unlike.teacher)
    fitting = _fitting(make, unlike, like)
    return [_run(name, check, make, like if check is _minimum else fitting) for name, check in _CHECKS.items()]


def _fitting(make: Make, unlike: Pair, like: Pair) -> Pair:
    try:
        make(unlike)
    except UserError:
        make(like)
        return like
    return unlike


def _run(name: str, check: Callable[[Make, Pair], Verdict], make: Make, pair: Pair) -> Check:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            passed, detail = check(make, pair)
    except _LOSS_ERRORS as error:
        passed, detail = False, where(error)
    return Check(name, passed, detail)


def _minimum(make: Make, pair: Pair) -> Verdict:
    try:
        term = build(make, pair)
    except UserError:
        return None, "cannot be built for two networks of one shape"
    minimum: float | None = getattr(term, "minimum", 0.0)
    if minimum is None:
        return None, "states no minimum at equality"
    if list(term.parameters()):
        return None, "an adapter stands between student and teacher"
    student, teacher, batch = made_up.step(pair)
    equal = value_of(term, teacher, teacher, batch).item() - minimum
    different = value_of(term, student, teacher, batch).item() - minimum
    detail = f"{equal:.1e} above {minimum:g} where student = teacher, {different:.1e} where not"
    return abs(equal) <= 1e-4 * different, detail


def _gradcheck(make: Make, pair: Pair) -> Verdict:
    term = build(make, pair)
    student, teacher, batch = made_up.step(pair)
    held: tuple[str, ...] = getattr(term, "stop_gradient", ())
    trained = {
        name: value for name, value in term.named_parameters() if value.requires_grad and not name.startswith(held)
    }
    layers: tuple[str, ...] = getattr(term, "student_layers", ())

    def value(*tensors: Tensor) -> Tensor:
        logits, *others = tensors
        features = {**student.features, **dict(zip(layers, others, strict=False))}
        parameters = dict(zip(trained, others[len(layers) :], strict=True))
        return value_of(term, Signals(logits, features), teacher, batch, parameters)

    inputs = [student.logits, *(student.features[layer] for layer in layers), *trained.values()]
    leaves = [tensor.detach().clone().requires_grad_() for tensor in inputs]
    torch.autograd.gradcheck(value, leaves, fast_mode=True, atol=1e-6, rtol=1e-4)
    return True, f"logits, {len(layers)} features and {len(trained)} parameters in float64"


def _teacher_untouched(make: Make, pair: Pair) -> Verdict:
    term = build(make, pair)
    student, teacher = (
        made_up.signals(pair.student, 1, leaf=True),
        made_up.signals(pair.teacher, 2, leaf=True),
    )
    loss = value_of(term, student, teacher, made_up.batch(pair))
    if any(largest(gradient) > 0 for gradient in gradients(loss, teacher)):
        return False, "the teacher's signals receive a gradient"
    if not any(largest(gradient) > 0 for gradient in gradients(loss, student)):
        return False, "the student's signals receive no gradient"
    return True, "gradient to the student only"


def _inference_teacher(make: Make, pair: Pair) -> Verdict:
    term = build(make, pair)
    with torch.inference_mode():
        teacher = made_up.signals(pair.teacher, 2)
    student = made_up.signals(pair.student, 1, leaf=True)
    return finite(value_of(term, student, teacher, made_up.batch(pair)), student)


def _batch_mean(make: Make, pair: Pair) -> Verdict:
    term = build(make, pair)
    if not getattr(term, "per_example", True):
        return None, "compares the examples of a batch with each other"
    student, teacher, batch = made_up.step(pair)
    once = value_of(term, student, teacher, batch).item()
    twice = value_of(term, made_up.twice(student), made_up.twice(teacher), made_up.batch(pair, repeats=2)).item()
    detail = f"{once:.6g}, {twice:.6g} with the batch repeated"
    return abs(once - twice) <= 1e-6 * abs(once), detail


def _extreme_logits(make: Make, pair: Pair) -> Verdict:
    student, teacher = made_up.signals(pair.student, 1, leaf=True), made_up.signals(pair.teacher, 2)
    student = student._replace(logits=(200 * student.logits.detach().sign()).requires_grad_())
    teacher = teacher._replace(logits=200 * teacher.logits.sign())
    return finite(value_of(build(make, pair), student, teacher, made_up.batch(pair)), student)


def _duplicate_rows(make: Make, pair: Pair) -> Verdict:
    student, teacher = made_up.signals(pair.student, 1), made_up.signals(pair.teacher, 2)
    student = made_up.mapped(student, lambda value: value[:1].expand_as(value).clone().requires_grad_())
    teacher = made_up.mapped(teacher, lambda value: value[:1].expand_as(value).clone())
    return finite(value_of(build(make, pair), student, teacher, made_up.batch(pair)), student)


def _dead_features(make: Make, pair: Pair) -> Verdict:
    student = made_up.mapped(made_up.signals(pair.student, 1), lambda value: torch.zeros_like(value).requires_grad_())
    teacher = made_up.mapped(made_up.signals(pair.teacher, 2), torch.zeros_like)
    return finite(value_of(build(make, pair), student, teacher, made_up.batch(pair)), student)


def _one_example(make: Make, pair: Pair) -> Verdict:
    student, teacher = (
        made_up.signals(pair.student, 1, size=1, leaf=True),
        made_up.signals(pair.teacher, 2, size=1),
    )
    return finite(value_of(build(make, pair), student, teacher, made_up.batch(pair, size=1)), student)


def _state_kept(make: Make, pair: Pair) -> Verdict:
    term, other = build(make, pair), build(make, pair, seed=1)
    bare = [f"{type(owner).__name__}.{name}" for owner in term.modules() for name in bare_tensors(owner)]
    if bare:
        return False, f"not in the state dict: {', '.join(bare)}"
    other.load_state_dict(term.state_dict())
    student, teacher, batch = made_up.step(pair)
    kept, restored = (value_of(one, student, teacher, batch).item() for one in (term, other))
    return kept == restored, f"{len(term.state_dict())} tensors; {kept:.6g}, restored {restored:.6g}"


def _constant_in_tau(make: Make, pair: Pair) -> Verdict:
    term = build(make, pair)
    if not hasattr(term, "tau"):
        return None, "has no tau"
    if not getattr(term, "constant_in_tau", True):
        return None, "states that its gradient changes with tau"
    norms = []
    for tau in (4.0, 64.0):
        vars(term)["tau"] = tau
        student, teacher = made_up.signals(pair.student, 1, leaf=True), made_up.signals(pair.teacher, 2)
        loss = value_of(term, student, teacher, made_up.batch(pair))
        norms.append(sum(gradient.square().sum().item() for gradient in gradients(loss, student)) ** 0.5)
    ratio = norms[1] / norms[0]
    return 0.5 <= ratio <= 2, f"gradient at tau 64 is {ratio:.3g} times that at tau 4"


def _autocast(make: Make, pair: Pair) -> Verdict:
    term = build(make, pair, dtype=torch.float32)
    student, teacher = made_up.signals(pair.student, 1), made_up.signals(pair.teacher, 2)
    student = made_up.mapped(student, lambda value: value.bfloat16().requires_grad_())
    teacher = made_up.mapped(teacher, Tensor.bfloat16)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = value_of(term, student, teacher, made_up.batch(pair))
    if loss.dtype != torch.float32:
        return False, f"the loss is {str(loss.dtype).removeprefix('torch.')}, not float32"
    wide = value_of(
        term,
        made_up.mapped(student, Tensor.float),
        made_up.mapped(teacher, Tensor.float),
        made_up.batch(pair),
    )
    if not list(term.parameters()) and not torch.allclose(loss, wide, rtol=1e-4):
        return False, f"{loss.item():.6g} under autocast, {wide.item():.6g} in float32"
    return finite(loss, student)


def _labels(make: Make, pair: Pair) -> Verdict:
    term = build(make, pair)
    if getattr(term, "reads_labels", False):
        return None, "states that it reads labels"
    student, teacher, batch = made_up.step(pair)
    others = batch._replace(labels=(batch.labels + 1) % pair.num_classes)
    right, wrong = (value_of(term, student, teacher, one).item() for one in (batch, others))
    return right == wrong, f"{right:.6g}, {wrong:.6g} with other labels"


_CHECKS: Mapping[str, Callable[[Make, Pair], Verdict]] = {
    "minimum at equality": _minimum,
    "gradients match finite differences": _gradcheck,
    "no gradient to the teacher": _teacher_untouched,
    "takes a teacher under inference mode": _inference_teacher,
    "mean over the batch": _batch_mean,
    "finite for logits of +-200": _extreme_logits,
    "finite for duplicate rows": _duplicate_rows,
    "finite for dead features": _dead_features,
    "finite for a batch of one": _one_example,
    "state dict holds everything": _state_kept,
    "gradient scale constant in tau": _constant_in_tau,
    "float32 under bf16 autocast": _autocast,
    "labels only where it states so": _labels,
}
