"""The bare loop computes what kdrun computes: only then is a ratio of their times one of overheads."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from kdrun.bench.bare import Draw, Draws, bare_loop, train_bare
from kdrun.bench.own import Together
from kdrun.bench.task import Task, is_whole, task_of
from kdrun.bench.watch import Watch
from kdrun.data.views import Crop
from kdrun.experiment.lab import Lab
from kdrun.experiment.running import begin
from kdrun.experiment.teaching import teacher_of
from kdrun.runs.spec import RunSpec
from kdrun.training.learner import Position
from kdrun.training.loop import fit

STEPS = 7  # more than an epoch of five

Students = Callable[..., list[RunSpec]]


def kdruns_draws(spec: RunSpec, task: Task, lab: Lab) -> Draws:
    """The order and the views of kdrun's own stream, as the bare loop wants them."""
    stream, family = lab.data(spec.dataset).training_batches(spec), Crop(**spec.recipe["augment"])
    row_of = {int(number): row for row, number in enumerate(task.part.ids)}
    per_row = 2 * family.padding + 1

    def draw(epoch: int) -> Draw:
        batches = list(stream.epoch(epoch))
        ids, views = (torch.cat([getattr(batch, name) for batch in batches]) for name in ("ids", "views"))
        window = (views + family.shifts // 2) % family.shifts
        order = torch.tensor([row_of[int(number)] for number in ids])
        return Draw(order, window // per_row, window % per_row, views >= family.shifts)

    return draw


def weights_by_kdrun(spec: RunSpec, lab: Lab) -> dict[str, torch.Tensor]:
    running, stop = begin(spec, lab), Watch(1, STEPS - 1, lab.device)
    with teacher_of([running], lab, Together(), lambda: None) as teacher:
        for _ in fit(
            [running.learner],
            teacher,
            lab.data(spec.dataset).training_batches(spec),
            epochs=spec.recipe["epochs"],
            start=Position(0, 0),
            pause=stop,
        ):
            # an epoch's end is yielded too, and no step is asked about there
            if stop():
                break
    return running.learner.network.state_dict()


# Without Adam's division by the root of tiny squares, in which rounding would grow to whole updates.
SGD = ("train=cifar_short", "train.student.epochs=3", "train.student.batch_size=20", "train.student.augment.padding=1")
CONV = ("teacher=conv_m", "teacher.stem_stride=1", "student=conv_s", "student.stem_stride=1")


@pytest.mark.parametrize(
    ("overrides", "rounding"),
    [
        ((), 1e-6),
        (("alpha=0.3", "tau=2", "knowledge.kd.weight=3"), 1e-6),
        (("alpha=1",), 1e-4),
        (("train.student.augment.flip=false",), 1e-6),
        ((*CONV, "dataset.source.channels=3"), 1e-5),
        ((*CONV, "precision=bf16"), 2e-2),
    ],
    ids=["mlp", "weighted", "alpha 1", "no flip", "conv", "bf16"],
)
def test_it_ends_with_kdruns_weights(students: Students, lab: Lab, overrides: tuple[str, ...], rounding: float) -> None:
    (spec,) = students(*SGD, *overrides)
    task = task_of(spec, spec.tau or 1.0, lab)
    student, teacher = task.networks(torch.channels_last)
    train_bare(student, teacher, task, kdruns_draws(spec, task, lab), Watch(1, STEPS - 1, lab.device))
    ours, theirs, before = (
        torch.cat([value.flatten() for value in one.values()])
        for one in (weights_by_kdrun(spec, lab), student.state_dict(), task.student.state_dict())
    )
    assert (theirs - ours).norm() < rounding * (ours - before).norm()


def test_it_leaves_the_task_as_it_was(students: Students, lab: Lab) -> None:
    (spec,) = students()
    task = task_of(spec, 4.0, lab)
    before = {name: value.clone() for name, value in task.student.state_dict().items()}
    bare_loop(task, Watch(1, 3, lab.device))
    torch.testing.assert_close(task.student.state_dict(), before, rtol=0, atol=0)


def test_without_a_teacher_it_trains_on_labels(students: Students, lab: Lab) -> None:
    (spec,) = students()
    baseline = task_of(spec, 4.0, lab)
    watch = Watch(1, 3, lab.device)
    bare_loop(Task(**{**vars(baseline), "teacher": None}), watch)
    assert watch.step_time() is not None


def test_knowledge_beyond_softened_logits_is_known_to_be_left_out(students: Students) -> None:
    assert is_whole(students()[0])
    assert not is_whole(students(*CONV, "knowledge=[response/kd,feature/attention]")[0])
    assert not is_whole(students("mode=ps_kd")[0])
