"""Offline distillation: a trained teacher, held fixed, teaches one student."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from kdrun.models import TappedNetwork
from kdrun.modes.loss import LossWeights, Term, combined, computed, part_names
from kdrun.signals import Batch, Pair, Signals


class Offline:
    """One student under the combined loss (Hinton et al. 2015, arXiv:1503.02531). Without terms: plain cross-entropy.

    student: the network to train.
    terms: knowledge by name; those that are modules are trained with the student (adapters).
    pair: shapes of the networks' signals, for modes that add something to a network; not looked at.
    exported: the network to evaluate and keep; the student itself unless a term changes its head.
    weights: of the labels and the mixed terms.
    needs_teacher: False where the terms ignore the teacher's signals (a control without a teacher).
    """

    def __init__(
        self,
        student: nn.Module,
        terms: Mapping[str, Term],
        *,
        pair: Pair,
        exported: nn.Module,
        weights: LossWeights,
        needs_teacher: bool,
    ) -> None:
        self.student, self.network = exported, student
        self.part_names = part_names(terms, weights)
        used = computed(terms, weights)
        knowledge = [term.knowledge for term in used.values()]
        modules = {name: term.knowledge for name, term in used.items() if isinstance(term.knowledge, nn.Module)}
        self.trained: nn.Module = nn.ModuleDict({"student": student, "terms": nn.ModuleDict(modules)})
        teacher_layers = tuple(dict.fromkeys(layer for term in knowledge for layer in term.teacher_layers))
        self.teacher_layers = teacher_layers if needs_teacher and knowledge else None
        self.student_layers = tuple(dict.fromkeys(layer for term in knowledge for layer in term.student_layers))
        self._tapped = TappedNetwork(student, self.student_layers)
        self._terms = terms
        self._weights = weights

    def losses(self, batch: Batch, teacher: Signals | None) -> tuple[Tensor, ...]:
        return self.losses_of(self._tapped(batch.inputs), batch, teacher)

    def losses_of(self, student: Signals, batch: Batch, teacher: Signals | None) -> tuple[Tensor, ...]:
        said = student if teacher is None else teacher  # without a teacher, no term looks at it
        return combined(student, said, batch, terms=self._terms, weights=self._weights)

    def compile(self, **options: Any) -> None:
        self._tapped.compile(**options)
