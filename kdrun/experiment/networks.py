"""The networks of a run: the one that is trained, its knowledge terms, and the one that is kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import torch
from torch import nn

from kdrun.data.classes import class_indices
from kdrun.errors import UserError
from kdrun.experiment.build import make, network_of, reads_labels, shapes_of, terms_of, users_errors
from kdrun.experiment.lab import Data
from kdrun.experiment.special import check_special
from kdrun.knowledge import Tempered
from kdrun.modes import Mode
from kdrun.modes.courses import Course
from kdrun.modes.loss import Alpha, LossWeights, Term
from kdrun.modes.offline import Offline
from kdrun.modes.online import Lesson
from kdrun.runs.spec import RunSpec
from kdrun.seeding import mix
from kdrun.signals import Pair, Signals
from kdrun.training.precision import seed_device

# Purposes of a run's seed, apart so that a term with adapters leaves the student's initial weights as they are.
_NETWORK, _TERMS, _MODE = 1, 2, 3


class Parts(NamedTuple):
    """What a run is made of.

    network: the one that is trained. pair: its shapes and its teacher's.
    terms: knowledge by name, with its adapters; none in a cohort.
    kept: the network that is evaluated and kept; not `network` itself where a term brings another head.
    lessons: what the networks of a cohort take from each other.
    """

    network: nn.Module
    pair: Pair
    terms: dict[str, Term]
    kept: nn.Module
    lessons: tuple[Lesson, ...] = ()

    def taught(self) -> Iterator[tuple[str, Term, Pair]]:
        """Every term by the name that it has among all, with the shapes that it was made for."""
        yield from ((name, term, self.pair) for name, term in self.terms.items())
        for lesson in self.lessons:
            yield from ((name, lesson.terms[term], lesson.pair) for term, name in lesson.names().items())


def parts_of(spec: RunSpec, data: Data, device: torch.device, kept: Callable[[RunSpec], nn.Module]) -> Parts:
    """A run's networks and terms, freshly initialised.

    A term that changes the student itself (SimKD takes the teacher's classifier) has a method
    `export(student, teacher)`; what it returns is the network that is evaluated and kept.

    device: the one whose generator is seeded. kept: gives the kept network of a parent.
    Raises UserError for what does not fit together.
    """
    check_special(spec, data)
    _check_labels(spec)
    seed_device(device, mix(spec.network_seed, _NETWORK))
    network = _network(spec, data, kept)
    pair = _pair(spec, data)
    seed_device(device, mix(spec.network_seed, _TERMS))
    if "members" in spec.model:
        return Parts(network, pair, {}, network, _lessons(spec, pair, data))
    terms = _terms(spec, pair)
    exported = network
    for name, term in terms.items():
        if hasattr(term.knowledge, "export"):
            if spec.teacher is None:
                raise UserError(f"knowledge {name} takes over a teacher's classifier, and here is none; choose another")
            with users_errors(f"knowledge {name} cannot export its network"):
                exported = term.knowledge.export(exported, kept(spec.teacher))
    return Parts(network, pair, terms, exported)


def shapes_only(spec: RunSpec, data: Data) -> Parts:
    """As `parts_of`, on the meta device: no memory, no arithmetic."""
    with torch.device("meta"):
        return parts_of(spec, data, torch.device("cpu"), lambda parent: shapes_only(parent, data).kept)


def _check_labels(spec: RunSpec) -> None:
    """Refuses what reads labels where a run is shown examples without them."""
    transfer = spec.examples.get("transfer")
    if transfer is None:
        return
    readers = [name for name, term in spec.terms.items() if reads_labels(term)]
    if spec.targets and reads_labels(spec.targets):
        readers.append(spec.targets["_target_"].rpartition(".")[2])
    if readers:
        raise UserError(
            f"{spec.kind}: {', '.join(readers)} reads labels, which transfer={transfer} keeps from some examples; "
            "choose another, or type transfer=labelled"
        )


def _network(spec: RunSpec, data: Data, kept: Callable[[RunSpec], nn.Module]) -> nn.Module:
    """A fresh network, or one that is made of others' (see `kdrun.models.FromParents`)."""
    made_from = spec.made_of if spec.starts_from is None else (spec.starts_from,)
    if not made_from:
        return network_of(spec.model, data.image_shape, data.num_classes)
    arguments = {key: value for key, value in spec.model.items() if key != "name"}
    if "classes" in arguments:
        arguments["classes"] = class_indices(arguments["classes"], data.splits.class_names)
    fitted_to = {"teacher": kept(spec.teacher)} if spec.teacher is not None and not spec.is_trained else {}
    network: nn.Module = make(arguments, [kept(one) for one in made_from], **fitted_to)
    return network


def _pair(spec: RunSpec, data: Data) -> Pair:
    """The shapes of a run's two networks; without a teacher the student stands on both sides."""
    with torch.device("meta"):
        network = _network(spec, data, lambda parent: shapes_only(parent, data).kept)
        student = _signals(spec, spec.model, network, data)
    teacher = student
    if spec.teacher is not None and spec.calls_teacher:
        teacher = _signals(spec.teacher, spec.teacher.model, shapes_only(spec.teacher, data).kept, data)
    return Pair(student, teacher, data.num_classes, data.training_part(spec).ids.cpu().sort().values)


def _lessons(spec: RunSpec, pair: Pair, data: Data) -> tuple[Lesson, ...]:
    """Who hears whom in a cohort, each with terms of its own.

    Raises UserError for a term that needs a finished teacher.
    """
    models, mode = spec.model["members"], spec.mode or {}
    with torch.device("meta"):
        said = [_signals(spec, one, network_of(one, data.image_shape, data.num_classes), data) for one in models]
    lessons = []
    for student, speakers in enumerate(mode["hears"]):
        for teacher in speakers:
            between = pair._replace(student=said[student], teacher=said[teacher])
            lessons.append(Lesson(student, teacher, between, _terms(spec, between)))
    for name, term in lessons[0].terms.items():
        if hasattr(term.knowledge, "export"):
            raise UserError(
                f"knowledge {name} takes over a finished teacher's classifier, and mode={mode['name']} has none; "
                "choose other knowledge, or mode=offline"
            )
    return tuple(lessons)


def _signals(spec: RunSpec, model: Mapping[str, Any], network: nn.Module, data: Data) -> Signals:
    return shapes_of(network, f"{spec.kind} {model['name']}", data.image_shape, data.num_classes)


def mode_from(spec: RunSpec, parts: Parts) -> Mode:
    """Who teaches whom, with a run's networks; what a mode adds to them is freshly initialised."""
    seed_device(torch.device("cpu"), mix(spec.network_seed, _MODE))
    weights = _loss_weights(spec)
    given: dict[str, Any] = {
        "pair": parts.pair,
        "exported": parts.kept,
        "weights": weights,
        "needs_teacher": spec.calls_teacher,
    }
    if spec.mode is None:
        return Offline(parts.network, parts.terms, **given)
    own = {key: value for key, value in spec.mode.items() if key not in ("name", "hears")}
    if parts.lessons:
        cohort: Mode = make(own, parts.network, parts.lessons, weights=weights)
        return cohort
    mode: Mode = make(own, parts.network, parts.terms, **given)
    return mode


def _loss_weights(spec: RunSpec) -> LossWeights:
    alpha: Alpha | None = spec.alpha
    if spec.alpha is not None and "alpha" in spec.schedules:
        alpha = _course(spec, "alpha", spec.alpha)
    return LossWeights(alpha, spec.label_weight)


def _terms(spec: RunSpec, pair: Pair) -> dict[str, Term]:
    return {name: _tempered(term, spec) for name, term in terms_of(spec.terms, pair).items()}


def _tempered(term: Term, spec: RunSpec) -> Term:
    """A term whose temperature goes from the schedule's start to its own, where it has one."""
    if "tau" not in spec.schedules or not isinstance(term.knowledge, Tempered):
        return term
    return term._replace(tau=_course(spec, "tau", term.knowledge.tau))


def _course(spec: RunSpec, of: str, end: float) -> Course:
    schedule = {key: value for key, value in spec.schedules[of].items() if key != "name"}
    course: Course = make(schedule, end=end, epochs=spec.recipe["epochs"])
    return course
