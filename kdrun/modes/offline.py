"""Offline distillation: a trained teacher, held fixed, teaches one student."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from kdrun.models import TappedNetwork
from kdrun.modes.loss import Alpha, Term, combined, part_names, sides
from kdrun.signals import Batch, Pair, Signals


class Offline:
    """One student under the combined loss (Hinton et al. 2015, arXiv:1503.02531). Without terms: plain cross-entropy.

    student: the network to train.
    terms: knowledge by name; those that are modules are trained with the student (adapters).
    pair: shapes of the networks' signals, for modes that add something to a network; not looked at.
    exported: the network to evaluate and keep; the student itself unless a term changes its head.
    alpha: in [0, 1], weight of the teacher's side.
    needs_teacher: False where the terms ignore the teacher's signals (a control without a teacher).
    """

    def __init__(
        self,
        student: nn.Module,
        terms: Mapping[str, Term],
        *,
        pair: Pair,
        exported: nn.Module,
        alpha: Alpha,
        needs_teacher: bool,
    ) -> None:
        self.student, self.network = exported, student
        self.part_names = part_names(terms, alpha)
        _, by_teacher = sides(alpha)
        knowledge = [term.knowledge for term in terms.values()] if by_teacher else []
        modules = {name: term.knowledge for name, term in terms.items() if isinstance(term.knowledge, nn.Module)}
        self.trained: nn.Module = nn.ModuleDict({"student": student, "terms": nn.ModuleDict(modules)})
        teacher_layers = tuple(dict.fromkeys(layer for term in knowledge for layer in term.teacher_layers))
        self.teacher_layers = teacher_layers if needs_teacher and by_teacher else None
        self.student_layers = tuple(dict.fromkeys(layer for term in knowledge for layer in term.student_layers))
        self._tapped = TappedNetwork(student, self.student_layers)
        self._terms = terms
        self._alpha = alpha

    def losses(self, batch: Batch, teacher: Signals | None) -> tuple[Tensor, ...]:
        return self.losses_of(self._tapped(batch.inputs), batch, teacher)

    def losses_of(self, student: Signals, batch: Batch, teacher: Signals | None) -> tuple[Tensor, ...]:
        said = student if teacher is None else teacher  # without a teacher, no term looks at it
        return combined(student, said, batch, terms=self._terms, alpha=self._alpha)

    def compile(self, **options: Any) -> None:
        self._tapped.compile(**options)
