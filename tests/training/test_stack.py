"""Learners that are computed as one: each ends as it does alone, whoever is in the stack and whoever leaves it."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import pytest
import torch
from torch import Tensor, nn

from kdrun.knowledge.response import LogitMSE, SoftTargets
from kdrun.models.mlp import Mlp
from kdrun.modes.loss import LossWeights, Term
from kdrun.modes.offline import Offline
from kdrun.signals import Batch, Pair, Signals
from kdrun.training.learner import Learner, Position, Update, constrain_after_steps
from kdrun.training.loop import Reached, Stepper, fit
from kdrun.training.schedules import one_cycle
from kdrun.training.stack import Member, Stack, member

CPU = torch.device("cpu")
EPOCHS, STEPS, CLASSES, PIXELS = 2, 4, 5, 6
START = Position(0, 0)


class Doubles:
    """Batches in float64; `size` examples each."""

    steps_per_epoch = STEPS

    def __init__(self, size: int) -> None:
        self.size = size

    def epoch(self, epoch: int, *, start: int = 0) -> Iterator[Batch]:
        for step in range(start, STEPS):
            generator = torch.Generator().manual_seed(100 * epoch + step)
            images = torch.randn(self.size, 1, PIXELS, PIXELS, generator=generator, dtype=torch.float64)
            labels = torch.randint(0, CLASSES, (self.size,), generator=generator)
            yield Batch(images, labels, labels, labels, epoch)


class Teacher:
    """Says the images' first pixels."""

    def signals(self, batch: Batch) -> Signals:
        assert isinstance(batch.inputs, Tensor)
        return Signals(batch.inputs.flatten(1)[:, :CLASSES])


def _adamw(parameters: Iterator[nn.Parameter]) -> torch.optim.Optimizer:
    return torch.optim.AdamW(parameters, lr=0.01, fused=True)


def _sgd(parameters: Iterator[nn.Parameter]) -> torch.optim.Optimizer:
    return torch.optim.SGD(parameters, lr=0.1, momentum=0.9, nesterov=True, weight_decay=1e-3)


class Noise(nn.Module):
    """A term that draws: the mean of logits times noise."""

    student_layers: tuple[str, ...] = ()
    teacher_layers: tuple[str, ...] = ()

    def forward(self, student: Signals, teacher: Signals, batch: Batch) -> Tensor:
        return (student.logits * torch.randn(CLASSES, dtype=torch.float64)).mean()


class Scaled(nn.Module):
    """A term that is trained with the student: squared distance to the teacher's logits times a learned scale."""

    student_layers: tuple[str, ...] = ()
    teacher_layers: tuple[str, ...] = ()

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(CLASSES, dtype=torch.float64))

    def forward(self, student: Signals, teacher: Signals, batch: Batch) -> Tensor:
        return (student.logits - self.scale * teacher.logits).square().mean()


PAIR = Pair(*[Signals(torch.zeros(2, CLASSES, device="meta"))] * 2, CLASSES, torch.arange(9))


@dataclass(frozen=True)
class Run:
    """A learner to be made, as often as it is needed."""

    alpha: float = 0.7
    term: Callable[[], nn.Module] = lambda: SoftTargets(PAIR, tau=4.0, standardise=False)
    seed: int = 0
    dropout: float = 0.0
    max_norm: float | None = None
    optimizer: Callable[[Iterator[nn.Parameter]], torch.optim.Optimizer] = _adamw

    def learner(self) -> Learner:
        torch.manual_seed(self.seed)
        student = Mlp(
            in_channels=1,
            image_size=PIXELS,
            num_classes=CLASSES,
            widths=[12, 7],
            dropout=self.dropout,
            input_dropout=0.0,
            max_norm=self.max_norm,
        ).double()
        terms = {"term": Term(self.term(), 1.0, 0, mixed=True)} if self.alpha else {}
        mode = Offline(
            student,
            terms,
            pair=PAIR,
            exported=student,
            weights=LossWeights(self.alpha, None),
            needs_teacher=self.alpha > 0,
        )
        optimizer = self.optimizer(mode.trained.parameters())
        constrain_after_steps(optimizer, mode.trained)
        schedule = one_cycle(optimizer, epochs=EPOCHS, steps_per_epoch=STEPS)
        return Learner(
            mode, [Update(optimizer, schedule)], seed=self.seed, steps_per_epoch=STEPS, device=CPU, precision="fp32"
        )


def _tau(tau: float) -> Callable[[], nn.Module]:
    return lambda: SoftTargets(PAIR, tau=tau, standardise=False)


def _stack(learners: Sequence[Learner]) -> Stack:
    members = [member(learner) for learner in learners]
    return Stack([one for one in members if isinstance(one, Member)])


def _train(steppers: Sequence[Stepper], size: int = 17, start: Position = START, stop_at: int = -1) -> list[Reached]:
    """Trains to the end, or until so many steps are done."""
    reached, steps = [], iter(range(1, 1000))
    for one in fit(
        steppers, Teacher(), Doubles(size), epochs=EPOCHS, start=start, pause=lambda: next(steps) == stop_at
    ):
        reached.append(one)
        if not one.epoch_done:
            break
    return reached


def _assert_close(learner: Learner, alone: Learner) -> None:
    """Weights, adapters and the record of the losses."""
    for one, other in zip(learner.mode.trained.parameters(), alone.mode.trained.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-12)
    assert learner.epoch_losses() == pytest.approx(alone.epoch_losses(), rel=1e-6)
    assert learner.learning_rate == alone.learning_rate


GROUPS = {
    "tau": [Run(term=_tau(1.0)), Run(term=_tau(2.0)), Run(term=_tau(8.0))],
    "alpha, with a baseline": [Run(alpha=0.0), Run(alpha=0.3), Run(alpha=1.0)],
    "seeds": [Run(seed=seed) for seed in range(3)],
    "knowledge": [Run(), Run(term=lambda: LogitMSE(PAIR)), Run(term=Scaled)],
    "a term that draws": [Run(term=Noise), Run(term=Noise, seed=1)],
    "optimisers": [Run(), Run(optimizer=_sgd), Run(optimizer=_sgd, seed=1)],
    "max-norm": [Run(max_norm=0.5), Run(max_norm=0.5, seed=1)],
}


@pytest.mark.parametrize("size", [1, 16, 17])
@pytest.mark.parametrize("runs", GROUPS.values(), ids=GROUPS.keys())
def test_each_of_a_stack_ends_as_it_does_alone(runs: list[Run], size: int) -> None:
    together = [run.learner() for run in runs]
    _train([_stack(together)], size)
    for run, learner in zip(runs, together, strict=True):
        alone = run.learner()
        _train([alone], size)
        _assert_close(learner, alone)
    first, second = (torch.cat([one.flatten() for one in each.network.parameters()]) for each in together[:2])
    assert (first - second).abs().max() > 1e-3


@pytest.mark.parametrize("stop_at", [1, 4, 6])
@pytest.mark.parametrize(
    ("before", "after"), [(True, True), (True, False), (False, True)], ids=["stack", "stack to single", "to stack"]
)
def test_a_state_resumes_in_a_stack_and_out_of_it(before: bool, after: bool, stop_at: int) -> None:
    runs = [
        Run(max_norm=0.5),
        Run(alpha=0.0, optimizer=_sgd, max_norm=0.5),
        Run(seed=1, term=Scaled, max_norm=0.5),
    ]
    cut, resumed, whole = ([run.learner() for run in runs] for _ in range(3))
    reached = _train([_stack(cut)] if before else cut, stop_at=stop_at)[-1]
    for one, other in zip(resumed, cut, strict=True):
        one.load_state(other.state())
    _train([_stack(resumed)] if after else resumed, start=reached.position)
    _train(whole)
    for one, other in zip(resumed, whole, strict=True):
        _assert_close(one, other)


def test_one_that_diverges_leaves_and_the_others_end_as_they_do_alone() -> None:
    runs = [Run(), Run(optimizer=lambda some: torch.optim.SGD(some, lr=1e300)), Run(alpha=0.0, seed=1)]
    together = [run.learner() for run in runs]
    reached = _train([_stack(together)])
    assert [lost.learner for one in reached for lost in one.diverged] == [together[1]]
    assert reached[-1].position == Position(EPOCHS, 0)
    for number in (0, 2):
        alone = runs[number].learner()
        _train([alone])
        _assert_close(together[number], alone)


def test_training_ends_when_all_of_a_stack_have_diverged() -> None:
    runs = [Run(seed=seed, optimizer=lambda some: torch.optim.SGD(some, lr=1e300)) for seed in range(2)]
    reached = _train([_stack([run.learner() for run in runs])])
    assert [len(one.diverged) for one in reached] == [2]


def test_those_that_leave_take_no_more_room_than_their_own() -> None:
    together = [Run(seed=seed).learner() for seed in range(3)]
    rest = _stack(together).without([together[1]])
    assert [one.learners for one in rest] == [(together[0], together[2])]
    assert all(one.untyped_storage().nbytes() == one.nbytes for one in together[1].network.parameters())


def test_a_state_of_one_in_a_stack_is_no_larger_than_a_single_ones() -> None:
    def size(learner: Learner) -> int:
        buffer = io.BytesIO()
        torch.save(learner.state(), buffer)
        return len(buffer.getvalue())

    together, alone = [Run(seed=seed).learner() for seed in range(4)], Run().learner()
    stack = _stack(together)
    for stepper in (stack, alone):
        _train([stepper])
    assert size(together[0]) == size(alone)


def test_gradients_are_dropped_after_the_step() -> None:
    together = [Run(seed=seed).learner() for seed in range(2)]
    _train([_stack(together)], stop_at=1)
    assert all(one.grad is None for learner in together for one in learner.network.parameters())


class Plain(nn.Module):
    """A network of a user's own."""

    def __init__(self) -> None:
        super().__init__()
        self.classifier = nn.Linear(PIXELS**2, CLASSES)

    def forward(self, inputs: Tensor) -> Tensor:
        logits: Tensor = self.classifier(inputs.flatten(1))
        return logits


class ReadsFeatures(LogitMSE):
    student_layers = ("hidden1",)


class OwnMode:
    """A mode that forms its losses in a way of its own."""

    def __init__(self, learner: Learner) -> None:
        self.trained = self.student = learner.network
        self.teacher_layers = None
        self.part_names = ("loss",)

    def losses(self, batch: Batch, teacher: Signals | None) -> tuple[Tensor, ...]:
        return (self.student(batch.inputs).square().mean(),)


def _with(mode: object) -> Learner:
    learner = Run().learner()
    learner.mode = mode  # type: ignore[assignment]
    return learner


def _alone(network: nn.Module) -> Learner:
    return _with(Offline(network, {}, pair=PAIR, exported=network, weights=LossWeights(0.0, None), needs_teacher=False))


@pytest.mark.parametrize(
    "learner",
    [
        Run(dropout=0.1).learner(),
        Run(term=lambda: ReadsFeatures(PAIR)).learner(),
        _alone(Plain()),
        _with(OwnMode(Run().learner())),
    ],
    ids=["dropout", "features", "a network that cannot be stacked", "a mode of its own"],
)
def test_what_cannot_be_computed_apart_steps_by_itself(learner: Learner) -> None:
    assert member(Run().learner()) is not None
    assert member(learner) is None
