"""What a finished run, its teacher and its baseline say of every test example."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from torch import Tensor

from kdrun.data.split import Part
from kdrun.errors import UserError
from kdrun.experiment.build import content_of, source_of
from kdrun.experiment.lab import Lab
from kdrun.experiment.running import finished_network
from kdrun.runs.identity import identity_of, text
from kdrun.runs.spec import RunSpec
from kdrun.training.evaluation import logits_of


@dataclass(frozen=True, eq=False)
class Said:
    """One network. logits: (N, K) float32 on the CPU, in the order of the test part."""

    spec: RunSpec
    logits: Tensor


@dataclass(frozen=True, eq=False)
class Answers:
    """The test part, its labels and ids on the CPU, and what networks say of it.

    said: by role: teacher; where there is a student, baseline (if the store has it) and student or control.
    """

    test: Part
    class_names: tuple[str, ...]
    said: Mapping[str, Said]

    def pictures(self, rows: Tensor) -> Tensor:
        """(N, C, H, W) uint8 on the CPU: the images of some test examples. rows: (N,) int64, N >= 1."""
        return next(self.test.batches(rows, len(rows))).cpu()


def answers(spec: RunSpec, lab: Lab) -> Answers:
    """Asks the networks of a teacher's run, or of a run that has a teacher.

    Raises UserError where the data are missing or others than the run's, and where weights are damaged.
    """
    _check_data(spec, lab)
    data = lab.data(spec.dataset)
    said = {role: Said(run, _logits(run, lab)) for role, run in _networks(spec, lab).items()}
    test = data.splits.test
    return Answers(replace(test, labels=test.labels.cpu(), ids=test.ids.cpu()), data.splits.class_names, said)


def _networks(spec: RunSpec, lab: Lab) -> dict[str, RunSpec]:
    teacher = spec.teacher
    if teacher is None or spec.kind == "teacher":
        return {spec.kind: spec}
    baseline = {"baseline": spec.baseline} if lab.store.folder(spec.baseline).is_finished else {}
    return {"teacher": teacher, **baseline, spec.kind: spec}


def _logits(spec: RunSpec, lab: Lab) -> Tensor:
    data = lab.data(spec.dataset)
    # In float32 whatever it was trained in, as at the end of its run.
    return logits_of(finished_network(spec, lab), data.evaluate_on(data.splits.test), lab.device, "fp32").cpu()


def _check_data(spec: RunSpec, lab: Lab) -> None:
    remedy = (
        "if they were moved, type data_root=DIR, or once more the command that made the run, with their new place "
        "(it trains nothing anew)"
    )
    source = source_of(spec.dataset)
    if hasattr(source, "is_there") and not source.is_there(lab.data_root):  # a store may come from anybody
        raise UserError(f"the {spec.dataset['name']} data are not under {lab.data_root}; {remedy}")
    asked_for = {key: value for key, value in spec.dataset.items() if key not in ("content", "places")}
    try:
        here = asked_for | content_of(asked_for, lab.data_root)
    except UserError as error:
        reason = error.message.partition(";")[0]
        raise UserError(f"cannot read the data of {spec.run_id}: {reason}; {remedy}") from error
    if text(identity_of("dataset", here)) != text(identity_of("dataset", spec.dataset)):
        raise UserError(
            f"the {spec.dataset['name']} data under {lab.data_root} are not those that {spec.run_id} was trained and "
            f"tested on; {remedy}"
        )
