"""Online distillation: networks that are trained at the same time, each from labels and from what others say now."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from kdrun.models import TappedNetwork
from kdrun.models.cohort import Cohort
from kdrun.modes.loss import LABELS_ALONE, LossWeights, Term, combined, computed, part_names
from kdrun.signals import Batch, Pair, Signals


class Lesson(NamedTuple):
    """What one network of a cohort takes from another.

    student, teacher: their places, from 0. pair: their shapes, for which the terms were made.
    terms: knowledge by name, with adapters of this lesson's own.
    """

    student: int
    teacher: int
    pair: Pair
    terms: Mapping[str, Term]

    def names(self) -> dict[str, str]:
        """By the name of each term, what it is called beside those of other lessons: `kd (1 from 2)`."""
        return {name: f"{name} ({self.student + 1} from {self.teacher + 1})" for name in self.terms}


class Online:
    """Networks that learn together, in one update a step (Zhang et al. 2018, arXiv:1706.00384, equations 8 to 10).

        L = sum_i L_i,    L_i = mean_{j in heard by i} of the combined loss of i under j

    that is, of equal weight for everyone that network i hears, and labels alone where it hears nobody. What others say
    is a constant in L_i: no gradient of it reaches them. They speak as they are in training, dropout and batch
    statistics included. Deviation: the paper updates one network after the other, each hearing the others' latest
    predictions; here all hear what the others said before the step.

    cohort: the networks. lessons: who hears whom, and through which terms.
    weights: of the labels and the mixed terms, the same for all.
    """

    def __init__(self, cohort: Cohort, lessons: Sequence[Lesson], *, weights: LossWeights) -> None:
        self.student: nn.Module = cohort
        self.network: nn.Module = cohort
        self.teacher_layers = None
        self._weights = weights
        self._lessons = [[one for one in lessons if one.student == place] for place in range(len(cohort.members))]
        self._tapped = [
            TappedNetwork(network, _layers(place, lessons, weights)) for place, network in enumerate(cohort.members)
        ]
        self.part_names = ("loss", *self._names())
        modules = {f"{one.student + 1}_{one.teacher + 1}": _trained(computed(one.terms, weights)) for one in lessons}
        self.trained: nn.Module = nn.ModuleDict({"cohort": cohort, "terms": nn.ModuleDict(modules)})

    def losses(self, batch: Batch, teacher: Signals | None) -> tuple[Tensor, ...]:
        said = [tapped(batch.inputs) for tapped in self._tapped]
        heard = [_detached(signals) for signals in said]
        each = [self._of_one(own, heard, lessons, batch) for own, lessons in zip(said, self._lessons, strict=True)]
        return torch.stack([parts[0] for parts in each]).sum(), *(part for parts in each for part in parts)

    def compile(self, **options: Any) -> None:
        for tapped in self._tapped:
            tapped.compile(**options)

    def _of_one(
        self, own: Signals, heard: Sequence[Signals], lessons: Sequence[Lesson], batch: Batch
    ) -> tuple[Tensor, ...]:
        """The loss of one network and its parts."""
        if not lessons:
            return combined(own, own, batch, terms={}, weights=LABELS_ALONE)
        under = [combined(own, heard[one.teacher], batch, terms=one.terms, weights=self._weights) for one in lessons]
        return tuple(torch.stack(alike).mean(0) for alike in zip(*under, strict=True))

    def _names(self) -> Iterable[str]:
        for number, lessons in enumerate(self._lessons, start=1):
            names = part_names(lessons[0].terms, self._weights) if lessons else part_names({}, LABELS_ALONE)
            yield from (f"{name}_{number}" for name in names)


def _layers(place: int, lessons: Iterable[Lesson], weights: LossWeights) -> Iterable[str]:
    """The features that a network must give, to learn by and for others."""
    for one in lessons:
        for term in computed(one.terms, weights).values():
            yield from term.knowledge.student_layers if one.student == place else ()
            yield from term.knowledge.teacher_layers if one.teacher == place else ()


def _trained(terms: Mapping[str, Term]) -> nn.ModuleDict:
    return nn.ModuleDict({name: one.knowledge for name, one in terms.items() if isinstance(one.knowledge, nn.Module)})


def _detached(signals: Signals) -> Signals:
    return Signals(signals.logits.detach(), {name: value.detach() for name, value in signals.features.items()})
