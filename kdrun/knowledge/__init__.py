"""Knowledge terms: what of the teacher the student is asked to reproduce.

A term is built as `Term(pair, **numbers)` from its YAML file, where `pair` holds the shapes of both
networks' signals; it refuses what does not fit (`UserError`) and makes its adapters there and then.
Everything it trains or remembers is in its state dict, as for any module.
"""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from torch import Tensor

from kdrun.signals import Batch, Signals


class Knowledge(Protocol):
    """One term L_k of the combined loss.

    student_layers, teacher_layers: names of the features it reads; empty for terms on logits alone.
    Calling it gives a scalar (), the mean over the batch, computed in float32 or wider. Gradients flow to
    the student's signals and the term's own parameters, never to the teacher's signals.

    A term may also carry what `conformance` reads, each with this value where it is missing:
    minimum (0.0): its value where student = teacher; None where the definition gives none.
    per_example (True): its value stays the same when the batch is repeated.
    constant_in_tau (True, read only beside an attribute `tau`): its gradient keeps its size when tau grows.
    reads_labels (False): it reads `batch.labels`, and is refused where not all examples have one.
    stop_gradient (()): prefixes of parameters whose gradient is cut on purpose, so not that of the value.
    """

    student_layers: tuple[str, ...]
    teacher_layers: tuple[str, ...]

    def __call__(self, student: Signals, teacher: Signals, batch: Batch) -> Tensor: ...


@runtime_checkable
class Tempered(Protocol):
    """A term with a temperature, which it reads anew at every call: a schedule may change it between epochs."""

    tau: float


__all__ = ["Knowledge", "Tempered"]
