"""Run specs from configuration: the teachers, the baselines, the controls and the students of one point."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from kdrun.config.checks import GREATEST_SEED
from kdrun.config.loss_weights import LABELS_ALONE, Weights, has_mixed, loss_weights, teaches
from kdrun.config.schema import CROWD, Config, Recipe
from kdrun.errors import UserError
from kdrun.plans.assembled import assembled, averaged
from kdrun.plans.listed import check_distinct, finished_run
from kdrun.plans.specialists import committee_of, specialists
from kdrun.runs.finding import NOBODY
from kdrun.runs.spec import RunSpec, without_teacher
from kdrun.runs.trust import Trust


@dataclass(frozen=True)
class Specs:
    """The run specs of one point.

    dataset: as `kdrun.experiment.build.dataset_description` gives it. trust: what the descriptions of finished runs
    that teach may name.
    """

    config: Config
    dataset: Mapping[str, Any]
    trust: Trust = NOBODY

    def with_student(self, model: Mapping[str, Any]) -> Specs:
        """The same point with another network as its student."""
        return replace(self, config=replace(self.config, student=model))

    @property
    def is_taught(self) -> bool:
        """Whether any knowledge term has a weight, in whichever epoch."""
        return teaches(self.config.knowledge, self.config.alpha, self.alpha_start)

    @property
    def alpha_start(self) -> float | None:
        """Where alpha's schedule starts; None where alpha is constant."""
        start: float | None = self.config.alpha_schedule.get("start")
        return start

    @property
    def weights(self) -> Weights:
        """Of the student's loss."""
        config = self.config
        return loss_weights(config.knowledge, config.alpha, self.alpha_start, config.label_weight)

    def teacher(self) -> RunSpec:
        """The teacher; one run also where it is several networks."""
        if self.config.teacher["specialists"]:
            return self._committee(self.generalist())
        members = self._listed or [self.taught_by_labels(self.teacher_model(), one) for one in self._teacher_seeds()]
        return members[0] if len(members) == 1 else self.ensemble(members)

    def teachers(self) -> dict[str, RunSpec]:
        """The teacher by the name of a row, empty where it is the only one; with specialists, also without them."""
        if not self.config.teacher["specialists"]:
            return {"": self.teacher()}
        return {"of the generalist": self.generalist(), "of the committee": self.teacher()}

    def check_no_crowd(self) -> None:
        """Raises UserError for several networks or finished runs as a teacher, where a mode trains none beforehand."""
        config = self.config
        crowd = {f"teacher.{key}": config.teacher[key] for key in ("members", "specialists") if config.teacher[key] > 1}
        if asked := [*(["teachers"] if config.teachers else []), *crowd]:
            mode = config.mode["name"]
            raise UserError(f"mode={mode} trains no teacher beforehand; leave {' and '.join(asked)} out")

    def generalist(self) -> RunSpec:
        """The one network that specialists begin as and advise."""
        return self.taught_by_labels(self.teacher_model(), self.config.teacher_seed)

    def _committee(self, generalist: RunSpec) -> RunSpec:
        """A generalist with its specialists, as one teacher."""
        advisers = specialists(generalist, self.config.teacher["specialists"])
        return assembled(generalist, committee_of(generalist, advisers), [generalist, *advisers])

    @property
    def finished_teachers(self) -> list[RunSpec]:
        """The finished runs that `teachers` lists."""
        return [run for one, run in zip(self.config.teachers, self._listed, strict=True) if isinstance(one, str)]

    @cached_property
    def _listed(self) -> list[RunSpec]:
        """What `teachers` lists: each a network that is trained as a teacher, or a finished run of any kind."""
        config = self.config
        listed = [
            finished_run(one, Path(config.outputs), self.dataset, self.trust)
            if isinstance(one, str)
            else self.taught_by_labels(one, config.teacher_seed)
            for one in config.teachers
        ]
        check_distinct(listed)
        return listed

    def taught_by_labels(self, model: Mapping[str, Any], seed: int) -> RunSpec:
        """A network as teachers are trained: labels only, their own recipe, their own share of the training part."""
        config = self.config
        return RunSpec(
            kind="teacher",
            seed=seed,
            data_seed=seed,
            dataset=self.dataset,
            train_size=config.teacher_train_size,
            model=model,
            recipe=_plain(config.train.teacher),
            precision=config.precision,
        )

    def ensemble(self, members: Sequence[RunSpec]) -> RunSpec:
        """The mean of finished networks, as one teacher; it has seen what the one of them has that saw most."""
        mean, sizes = self.config.teacher["mean"], [one.train_size for one in members]
        seen = None if None in sizes else max(size for size in sizes if size is not None)
        like = replace(self.taught_by_labels({}, self.config.teacher_seed), train_size=seen)
        return averaged(like, members, mean=mean, tau=self.config.tau)

    def assistant(self, model: Mapping[str, Any], teacher: RunSpec, number: int) -> RunSpec:
        """A network as teachers are trained, but distilled as students are.

        number: its place in the chain, from 1; each begins with other weights and sees another order of batches.
        """
        seed = initial_seed(self.config.teacher_seed, number)
        own, student = self.taught_by_labels(model, seed), self.student(0, teacher)
        return replace(
            own,
            alpha=student.alpha,
            label_weight=student.label_weight,
            terms=student.terms,
            mode=student.mode,
            teacher_dtype=student.teacher_dtype,
            teacher=student.teacher,
            schedules=student.schedules,
        )

    def baseline(self, seed: int) -> RunSpec:
        """The student trained on labels alone: the same for every tau, alpha and kind of knowledge."""
        return self._student(seed, kind="baseline", weights=LABELS_ALONE, terms={}, mode=None, targets={}, teacher=None)

    def control(self, seed: int, name: str, teacher: RunSpec | None) -> RunSpec:
        """A student with a substitute for the teacher (conf/controls); the baseline where no term has a weight."""
        control = self.config.controls[name]
        terms, alpha = control["knowledge"], float(control["alpha"])
        if not teaches(terms, alpha, None):
            return self.baseline(seed)
        if control["targets"] is not None and teacher is None:
            mode = self.config.mode["name"]
            kept = ",".join(other for other, one in self.config.controls.items() if one["targets"] is None)
            raise UserError(f"the control {name} needs a teacher, and mode={mode} has none; type controls=[{kept}]")
        return self._student(
            seed,
            kind="control",
            weights=loss_weights(terms, alpha, None, control.get("label_weight")),
            terms=terms,
            mode=None,
            targets=control["targets"] or {},
            teacher=None if control["targets"] is None else teacher,
        )

    def student(self, seed: int, teacher: RunSpec | None) -> RunSpec:
        """The distilled student; the baseline where no term has a weight. teacher: None where the mode has none."""
        config = self.config
        if not self.is_taught:
            return self.baseline(seed)
        if teacher is None and config.transfer != "labelled":
            raise UserError(
                f"transfer={config.transfer} needs a teacher for what has no labels, and "
                f"mode={config.mode['name']} has none; type transfer=labelled"
            )
        student = self._student(
            seed,
            kind="student",
            weights=self.weights,
            terms=config.knowledge,
            mode=config.mode["trains"],
            targets={},
            teacher=teacher,
        )
        return replace(student, schedules=self._schedules())

    def _student(
        self,
        seed: int,
        *,
        kind: Any,
        weights: Weights,
        terms: Mapping[str, Mapping[str, Any]],
        mode: Mapping[str, Any] | None,
        targets: Mapping[str, Any],
        teacher: RunSpec | None,
    ) -> RunSpec:
        config = self.config
        if teacher and config.transfer == "unlabelled" and weights.reads_labels(self.alpha_start):
            raise UserError(
                f"transfer=unlabelled gives the {kind} no label, and its loss weighs labels; "
                f"type {'alpha=1 alpha_schedule=constant' if has_mixed(terms) else 'label_weight=0'}"
            )
        return RunSpec(
            kind=kind,
            seed=seed,
            data_seed=seed if config.data_seed is None else config.data_seed,
            dataset=self.dataset,
            train_size=config.train_size,
            model=config.student,
            recipe=_plain(config.train.student),
            precision=config.precision,
            alpha=weights.alpha,
            label_weight=weights.labels,
            terms={name: _decided(term) for name, term in terms.items()},
            mode=mode,
            targets=targets,
            teacher_dtype=config.cache.dtype if teacher else "fp32",
            teacher=teacher,
            examples=self._examples() if teacher else without_teacher(self._examples()),
        )

    def _examples(self) -> dict[str, Any]:
        """What a run that has a teacher is shown beyond the labelled examples, and what not."""
        omitted, transfer = sorted(set(map(str, self.config.dataset.omit))), self.config.transfer
        return ({"omit": omitted} if omitted else {}) | ({"transfer": transfer} if transfer != "labelled" else {})

    def _schedules(self) -> dict[str, Mapping[str, Any]]:
        """That of alpha, and that of tau where a term has one; none where they are constant."""
        config = self.config
        terms, found = config.knowledge, {"alpha": config.alpha_schedule, "tau": config.tau_schedule}
        of_use = {"alpha": has_mixed(terms), "tau": any("tau" in term for term in terms.values())}
        return {
            key: {**schedule, "start": float(schedule["start"])}  # 0 and 0.0 are one schedule
            for key, schedule in found.items()
            if "_target_" in schedule and of_use[key]
        }

    def teacher_model(self) -> dict[str, Any]:
        """The teacher's architecture."""
        return {key: value for key, value in self.config.teacher.items() if key not in CROWD}

    def _teacher_seeds(self) -> range:
        first = self.config.teacher_seed
        return range(first, first + self.config.teacher["members"])


def initial_seed(seed: int, generation: int) -> int:
    """The seed of a later network of a chain: 2003 of generation 2 of seed 3, in [0, GREATEST_SEED]."""
    return (seed + 1000 * generation) % (GREATEST_SEED + 1)


def _decided(term: Mapping[str, Any]) -> dict[str, Any]:
    """A term without the labels' weight that it asks for, which is decided for the whole loss."""
    return {key: value for key, value in term.items() if key != "label_weight"}


def _plain(recipe: Recipe) -> dict[str, Any]:
    return asdict(recipe)
