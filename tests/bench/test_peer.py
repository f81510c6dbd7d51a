"""The peer loops: they train the same student on the same examples, slowly."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn

from kdrun.bench.peer import peer_loop, pil_images
from kdrun.bench.task import Task, task_of
from kdrun.bench.torchdistill_box import is_installed, torchdistill_loop
from kdrun.bench.watch import Watch
from kdrun.experiment.lab import Lab
from kdrun.runs.spec import RunSpec

Loop = Callable[..., None]

LOOPS = [
    peer_loop,
    pytest.param(
        torchdistill_loop, marks=pytest.mark.skipif(not is_installed(), reason="the extra `bench` is not installed")
    ),
]


@pytest.fixture
def task(students: Callable[..., list[RunSpec]], lab: Lab) -> Task:
    return task_of(students("dataset.source.channels=3", "train.student.augment.flip=true")[0], 4.0, lab)


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> list[nn.Module]:
    """The student that a loop trains on its copy of."""
    students: list[nn.Module] = []
    copies = Task.networks

    def noted(self: Task, memory_format: torch.memory_format) -> tuple[nn.Module, nn.Module | None]:
        student, teacher = copies(self, memory_format)
        students.append(student)
        return student, teacher

    monkeypatch.setattr(Task, "networks", noted)
    return students


@pytest.mark.parametrize("loop", LOOPS)
def test_it_takes_the_steps_of_the_run_and_learns(loop: Loop, task: Task, trained: list[nn.Module]) -> None:
    watch = Watch(1, task.steps - 1, task.device)
    loop(task, watch, workers=0)
    assert watch.step_time() is not None
    (student,) = trained
    images = task.part.images.float().div(255).sub(torch.tensor(task.mean)[:, None, None])
    inputs = images / torch.tensor(task.std)[:, None, None]
    before, after = (_loss(network.eval(), inputs, task) for network in (task.student, student))
    assert after < before


@torch.no_grad()
def _loss(network: nn.Module, inputs: torch.Tensor, task: Task) -> float:
    return float(nn.functional.cross_entropy(network(inputs), task.part.labels))


def test_an_image_without_augmentation_is_what_kdrun_shows(students: Callable[..., list[RunSpec]], lab: Lab) -> None:
    (spec,) = students("train.student.augment.padding=0")
    data, images = lab.data(spec.dataset), pil_images(task_of(spec, 4.0, lab))
    batch = next(iter(data.evaluate_on(data.training_part(spec))))
    shown = torch.stack([images[row][0] for row in range(len(images))])
    torch.testing.assert_close(shown, batch.inputs, rtol=0, atol=1e-6)
    assert [images[row][1] for row in range(len(images))] == batch.labels.tolist()


def test_crops_and_mirrors_are_those_of_the_recipe(task: Task) -> None:
    images = pil_images(task)
    seen = {tuple(images[0][0].flatten().tolist()) for _ in range(200)}
    assert 12 < len(seen) <= 18  # 9 crops, mirrored or not
