"""Keeps losses out of half precision, whatever the networks compute in."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import nullcontext
from functools import wraps
from typing import ParamSpec, TypeVar

import torch
from torch import Tensor

P = ParamSpec("P")
T = TypeVar("T")


def in_float32(loss: Callable[P, T]) -> Callable[P, T]:
    """The same function with autocast off and its half-precision arguments (tensors, lists of them) widened.

    Autocast would compute the matrix products of a loss in bfloat16 even from float32 inputs. float64
    stays as it is, for tests. Tensors that were made under inference mode, as a teacher's are, are copied:
    autograd refuses to keep them for the student's gradient. Keyword arguments pass as they are.
    """

    @wraps(loss)
    def widened(*args: P.args, **kwargs: P.kwargs) -> T:
        device = next(tensor.device.type for tensor in _tensors(args))
        known = torch.amp.is_autocast_available(device)  # not on the meta device
        on = known and torch.is_autocast_enabled(device)
        with torch.autocast(device, enabled=False) if on else nullcontext():
            return loss(*map(_widen, args), **kwargs)  # type: ignore[arg-type]

    return widened


def _tensors(values: Iterable[object]) -> Iterator[Tensor]:
    for value in values:
        if isinstance(value, Tensor):
            yield value
        elif isinstance(value, (list, tuple)):
            yield from _tensors(value)


def _widen(value: object) -> object:
    if isinstance(value, (list, tuple)):
        return [_widen(item) for item in value]
    if not isinstance(value, Tensor):
        return value
    value = value.clone() if value.is_inference() else value
    return value.float() if value.dtype in (torch.float16, torch.bfloat16) else value
