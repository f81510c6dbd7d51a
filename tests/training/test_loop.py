"""The one training loop: what it computes, who disturbs whom, and how it goes on after a pause."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from kdrun.data.batches import Batches
from kdrun.data.normalise import Normalise
from kdrun.data.split import Part
from kdrun.data.views import Crop
from kdrun.knowledge.response import SoftTargets
from kdrun.models.mlp import Mlp
from kdrun.modes.loss import LossWeights, Term
from kdrun.modes.offline import Offline
from kdrun.seeding import mix
from kdrun.signals import Batch, Pair, Signals
from kdrun.teachers.network import NetworkTeacher
from kdrun.training.learner import Learner, Position, Update, constrain_after_steps
from kdrun.training.loop import Reached, fit
from kdrun.training.precision import autocast, grad_scaler, seed_device
from kdrun.training.schedules import one_cycle

CPU = torch.device("cpu")
EPOCHS, CLASSES = 3, 5
START = Position(0, 0)


def _part(labels_seed: int = 1) -> Part:
    images = torch.randint(0, 256, (90, 1, 6, 6), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    labels = torch.randint(0, CLASSES, (90,), generator=torch.Generator().manual_seed(labels_seed))
    return Part(images, labels, torch.arange(90))


def _stream(labels_seed: int = 1) -> Batches:
    return Batches(
        _part(labels_seed), batch_size=16, family=Crop(1, False), normalise=Normalise((0.5,), (0.5,)), seed=3
    )


def _network(seed: int, dropout: float = 0.2) -> nn.Module:
    torch.manual_seed(seed)
    return Mlp(
        in_channels=1, image_size=6, num_classes=CLASSES, widths=[12], dropout=dropout, input_dropout=0.0, max_norm=None
    )


def _teacher() -> NetworkTeacher:
    return NetworkTeacher(_network(99), (), autocast(CPU, "fp32"))


def _learner(alpha: float, tau: float = 4.0, seed: int = 0, lr: float = 0.01, precision: str = "fp32") -> Learner:
    student = _network(seed)
    signals = Signals(torch.zeros(2, CLASSES, device="meta"))
    pair = Pair(signals, signals, CLASSES, torch.arange(90))
    terms = {"kd": Term(SoftTargets(pair, tau=tau, standardise=False), 1.0, 0, mixed=True)}
    mode = Offline(student, terms, pair=pair, exported=student, weights=LossWeights(alpha, None), needs_teacher=True)
    optimizer = torch.optim.AdamW(mode.trained.parameters(), lr=lr, fused=True)
    schedule = one_cycle(optimizer, epochs=EPOCHS, steps_per_epoch=_stream().steps_per_epoch)
    return Learner(mode, [Update(optimizer, schedule)], seed=seed, steps_per_epoch=5, device=CPU, precision=precision)


def _fit(
    learners: list[Learner], *, start: Position = START, labels_seed: int = 1, pause_at: int = -1
) -> Iterator[Reached]:
    steps = iter(range(1000))
    return fit(
        learners,
        _teacher(),
        _stream(labels_seed),
        epochs=EPOCHS,
        start=start,
        pause=lambda: next(steps) == pause_at,
    )


def _weights(learner: Learner) -> list[Tensor]:
    return list(learner.network.state_dict().values())


def _same(one: Learner, other: Learner) -> bool:
    return all(torch.equal(a, b) for a, b in zip(_weights(one), _weights(other), strict=True))


def test_alpha_0_is_a_plain_cross_entropy_loop_bit_for_bit() -> None:
    learner = _learner(alpha=0.0)
    list(_fit([learner]))

    plain = _network(0)
    optimizer = torch.optim.AdamW(plain.parameters(), lr=0.01, fused=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=0.01, total_steps=EPOCHS * 5)
    for epoch in range(EPOCHS):
        for step, batch in enumerate(_stream().epoch(epoch)):
            seed_device(CPU, mix(0, epoch, step))
            optimizer.zero_grad()
            functional.cross_entropy(plain(batch.inputs), batch.labels).backward()
            optimizer.step()
            schedule.step()
    assert all(torch.equal(a, b) for a, b in zip(_weights(learner), plain.state_dict().values(), strict=True))


def test_alpha_1_gives_the_same_weights_when_the_labels_are_others() -> None:
    one, other = _learner(alpha=1.0), _learner(alpha=1.0)
    list(_fit([one], labels_seed=1))
    list(_fit([other], labels_seed=2))
    assert _same(one, other)
    taught = _learner(alpha=0.9)
    list(_fit([taught], labels_seed=2))
    assert not _same(one, taught)


def test_learners_side_by_side_end_as_they_do_alone() -> None:
    settings = [(0.0, 4.0, 0), (0.7, 1.0, 0), (0.7, 8.0, 1)]
    together = [_learner(*setting) for setting in settings]
    list(_fit(together))
    for setting, learner in zip(settings, together, strict=True):
        alone = _learner(*setting)
        list(_fit([alone]))
        assert _same(alone, learner)


@pytest.mark.parametrize("pause_at", [0, 3, 6, 12])
def test_a_pause_and_a_fresh_start_from_the_state_change_nothing(pause_at: int) -> None:
    whole = _learner(alpha=0.7)
    list(_fit([whole]))
    cut = _learner(alpha=0.7)
    for reached in _fit([cut], pause_at=pause_at):
        if not reached.epoch_done:
            break
    state = cut.state()
    resumed = _learner(alpha=0.7, seed=0)
    resumed.load_state(state)
    list(_fit([resumed], start=reached.position))
    assert _same(whole, resumed)
    assert whole.epoch_losses() == resumed.epoch_losses()


def _scale(learner: Learner) -> float:
    return float(learner.state()["scaler"]["scale"])


def test_under_fp16_a_step_whose_gradients_overflow_is_left_out_and_the_scale_halved() -> None:
    learner = _learner(alpha=0.0, precision="fp16")
    learner.load_state(learner.state() | {"scaler": grad_scaler(CPU, "fp16").state_dict() | {"scale": 2.0**100}})
    before = [value.clone() for value in _weights(learner)]
    batch = next(_stream().epoch(0))
    learner.step(batch, None, START)
    assert all(torch.equal(a, b) for a, b in zip(before, _weights(learner), strict=True))
    assert _scale(learner) == 2.0**99
    assert learner.first_bad_step() is None


def test_the_scale_goes_on_where_it_was_after_a_resume() -> None:
    whole, cut = _learner(alpha=0.7, precision="fp16"), _learner(alpha=0.7, precision="fp16")
    soon = grad_scaler(CPU, "fp16").state_dict() | {"scale": 2.0**5, "growth_interval": 3}
    for learner in (whole, cut):
        learner.load_state(learner.state() | {"scaler": soon})
    list(_fit([whole]))
    for reached in _fit([cut], pause_at=6):
        if not reached.epoch_done:
            break
    resumed = _learner(alpha=0.7, precision="fp16")
    resumed.load_state(cut.state())
    list(_fit([resumed], start=reached.position))
    assert _scale(whole) == _scale(resumed) == 2.0 ** (5 + EPOCHS * 5 // 3)
    assert _same(whole, resumed)


def test_fp16_learns_as_fp32_does() -> None:
    losses = []
    for precision in ("fp32", "fp16"):
        learner = _learner(alpha=0.7, precision=precision)
        list(_fit([learner]))
        losses.append(learner.epoch_losses()["train_loss"])
    assert losses[1] == pytest.approx(losses[0], rel=0.01)
    assert losses[1] != losses[0]


def test_dropout_draws_anew_at_every_step() -> None:
    network = nn.Dropout(0.5)
    drawn = []
    for step in range(2):
        seed_device(CPU, mix(0, 0, step))
        drawn.append(network(torch.ones(64)))
    assert not torch.equal(*drawn)


def test_a_loss_that_is_not_finite_stops_its_learner_and_not_the_one_beside_it() -> None:
    good, bad = _learner(alpha=0.7), _learner(alpha=0.7, lr=1e30)
    reached = list(_fit([bad, good]))
    assert [diverged.learner for one in reached for diverged in one.diverged] == [bad]
    assert reached[0].diverged[0].step in range(5)
    assert reached[-1].position == Position(EPOCHS, 0)
    alone = _learner(alpha=0.7)
    list(_fit([alone]))
    assert _same(good, alone)


def test_the_teacher_is_asked_once_a_batch_for_all_learners() -> None:
    class Counting:
        asked = 0

        def signals(self, batch: Batch) -> Signals:
            self.asked += 1
            return Signals(torch.zeros(len(batch.labels), CLASSES))

    teacher = Counting()
    learners = [_learner(alpha=0.7, tau=tau) for tau in (1.0, 2.0, 4.0)]
    list(fit(learners, teacher, _stream(), epochs=EPOCHS, start=START, pause=lambda: False))
    assert teacher.asked == EPOCHS * 5


def test_the_teacher_is_left_as_it_was() -> None:
    network = _network(99)
    before = [tensor.clone() for tensor in network.state_dict().values()]
    teacher = NetworkTeacher(network, (), autocast(CPU, "fp32"))
    list(fit([_learner(0.7)], teacher, _stream(), epochs=1, start=START, pause=lambda: False))
    assert all(torch.equal(a, b) for a, b in zip(before, network.state_dict().values(), strict=True))
    assert all(parameter.grad is None for parameter in network.parameters())


@pytest.mark.parametrize("around", [lambda network: network, lambda network: nn.ModuleDict({"student": network})])
def test_max_norm_holds_after_every_step_wherever_the_network_lies(around: Callable[[nn.Module], nn.Module]) -> None:
    network = Mlp(
        in_channels=1, image_size=6, num_classes=CLASSES, widths=[12], dropout=0.0, input_dropout=0.0, max_norm=0.1
    )
    optimizer = torch.optim.SGD(network.parameters(), lr=1.0)
    constrain_after_steps(optimizer, around(network))
    network(torch.randn(8, 1, 6, 6)).square().mean().backward()
    optimizer.step()
    hidden = next(module for module in network.modules() if isinstance(module, nn.Linear))
    assert hidden.weight.norm(dim=1).max() <= 0.1 + 1e-6
