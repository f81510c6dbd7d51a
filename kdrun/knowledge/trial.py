"""Tries a knowledge term: each call finds it in the state it was built in, with the same random numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

import torch
from torch import Tensor, nn
from torch.func import functional_call

from kdrun.errors import UserError
from kdrun.knowledge import Knowledge, made_up
from kdrun.signals import Batch, Pair, Signals

Make = Callable[[Pair], Knowledge]
Verdict = tuple[bool | None, str]


def build(make: Make, pair: Pair, *, seed: int = 0, dtype: torch.dtype = torch.float64) -> nn.Module:
    """The term, called once so that what it remembers of its first batch is settled."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        term = make(pair)
        if not isinstance(term, nn.Module):
            raise UserError(f"{type(term).__name__} is no torch.nn.Module: derive it, so that its state is saved")
        term.to(dtype)
        student, teacher = (made_up.mapped(made_up.signals(one, seed + 3), lambda v: v.to(dtype)) for one in pair[:2])
        with torch.no_grad():
            term(student, teacher, made_up.batch(pair))
    return term


def value_of(
    term: nn.Module,
    student: Signals,
    teacher: Signals,
    batch: Batch,
    parameters: Mapping[str, Tensor] | None = None,
) -> Tensor:
    """The term's value from the state it was built with: same memory, same random numbers at every call."""
    state = {name: buffer.clone() for name, buffer in term.named_buffers()}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        loss: Tensor = functional_call(term, {**state, **(parameters or {})}, (student, teacher, batch))
    return loss


def gradients(loss: Tensor, signals: Signals) -> list[Tensor]:
    """The loss's gradients with respect to the signals that it depends on."""
    tensors = [signals.logits, *signals.features.values()]
    found = torch.autograd.grad(loss, tensors, allow_unused=True, retain_graph=True)
    return [gradient for gradient in found if gradient is not None]


def largest(gradient: Tensor) -> float:
    """The largest absolute entry."""
    return gradient.abs().max().item()


def finite(loss: Tensor, student: Signals) -> Verdict:
    """Whether the loss and its gradients with respect to the student's signals are finite."""
    if not loss.isfinite():
        return False, f"the value is {loss.item()}"
    if not all(gradient.isfinite().all() for gradient in gradients(loss, student)):
        return False, f"the value is {loss.item():.6g}, its gradient is not finite"
    return True, f"the value is {loss.item():.6g}"


def bare_tensors(module: nn.Module) -> Iterator[str]:
    """Attributes that hold tensors which the state dict does not know."""
    for name, value in vars(module).items():
        if name in ("_parameters", "_buffers", "_modules"):
            continue
        values = value.values() if isinstance(value, dict) else value
        items = values if isinstance(values, Iterable) and not isinstance(value, Tensor) else (value,)
        if any(isinstance(item, Tensor) for item in items):
            yield name
