"""A student that is taught by what it said of each example an epoch ago."""

from __future__ import annotations

from math import exp, log

import pytest
import torch
from torch import Tensor, nn

from kdrun.errors import UserError
from kdrun.knowledge.made_up import example_pair
from kdrun.knowledge.relation import Similarity
from kdrun.knowledge.response import SoftTargets
from kdrun.modes.loss import LossWeights, Term
from kdrun.modes.ps_kd import PsKd
from kdrun.signals import Batch, Pair, Signals

CLASSES, ALPHA, TAU = 3, 0.8, 2.0
SHAPES = Signals(torch.zeros(2, CLASSES, device="meta"))
PAIR = Pair(SHAPES, SHAPES, CLASSES, torch.tensor([4, 7, 9, 12]))
KD = {"kd": Term(SoftTargets(PAIR, tau=TAU, standardise=False), 1.0, 0, mixed=True)}


def _network(seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Linear(5, CLASSES, dtype=torch.float64)


def _mode(network: nn.Module, alpha: float = ALPHA) -> PsKd:
    return PsKd(network, KD, pair=PAIR, exported=network, weights=LossWeights(alpha, None), needs_teacher=False)


def _batch(ids: list[int], epoch: int) -> Batch:
    """Other inputs in every epoch, as of other views."""
    drawn = torch.Generator().manual_seed(epoch)
    inputs = torch.randn(13, 5, dtype=torch.float64, generator=drawn)[ids]
    numbers = torch.tensor(ids)
    return Batch(inputs, numbers % CLASSES, numbers, torch.zeros_like(numbers), epoch)


def _probs(logits: list[float], tau: float) -> list[float]:
    weights = [exp(one / tau) for one in logits]
    return [weight / sum(weights) for weight in weights]


def _written_out(logits: list[float], label: int, before: list[float]) -> float:
    ce = -log(_probs(logits, 1.0)[label])
    taught, own = _probs(before, TAU), _probs(logits, TAU)
    kl = sum(p * log(p / q) for p, q in zip(taught, own, strict=True))
    return (1 - ALPHA) * ce + ALPHA * TAU**2 * kl


def test_each_examples_teacher_is_what_the_student_last_said_of_it() -> None:
    network = _network()
    mode, optimizer = _mode(network), torch.optim.SGD(network.parameters(), lr=0.5)
    said: dict[int, list[float]] = {}
    epochs = [[[4, 7], [9, 12]], [[12, 4], [7, 9]], [[9, 7]], [[4, 9], [12, 7]]]  # two sit the third one out
    for epoch, batches in enumerate(epochs):
        for ids in batches:
            batch = _batch(ids, epoch)
            logits = network(batch.inputs).tolist()
            befores = [said.get(number, own) for number, own in zip(ids, logits, strict=True)]
            expected = sum(map(_written_out, logits, batch.labels.tolist(), befores)) / len(ids)
            said |= dict(zip(ids, logits, strict=True))
            loss = mode.losses(batch, None)[0]
            assert loss.item() == pytest.approx(expected, rel=1e-5)  # past logits are kept in float32
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()


def test_no_gradient_reaches_what_was_said_before() -> None:
    network, first, second = _network(), _batch([4, 7], 0), _batch([4, 7], 1)
    mode, leaf = _mode(network, alpha=1.0), first.inputs.clone().requires_grad_()
    mode.losses(first._replace(inputs=leaf), None)
    mode.losses(second, None)[0].backward()
    assert leaf.grad is None
    assert network.weight.grad.abs().sum() > 0


def test_an_example_that_was_never_met_pulls_nowhere() -> None:
    network, alone, batch = _network(), _network(), _batch([4, 9], 0)
    _mode(network).losses(batch, None)[0].backward()
    ((1 - ALPHA) * nn.functional.cross_entropy(alone(batch.inputs), batch.labels)).backward()
    assert torch.allclose(network.weight.grad, alone.weight.grad, atol=1e-7)


def test_past_logits_are_in_the_training_state_and_neither_trained_nor_kept() -> None:
    mode = _mode(_network())
    mode.losses(_batch([9, 4], 0), None)
    state = mode.trained.state_dict()
    assert state["past.met"].tolist() == [True, False, True, False]
    assert len(list(mode.trained.parameters())) == 2
    assert list(mode.student.state_dict()) == ["weight", "bias"]
    again = _mode(_network())
    again.trained.load_state_dict(state)
    fresh, resumed, undisturbed = (_losses(one, 1) for one in (_mode(_network()), again, mode))
    assert resumed == undisturbed != fresh


def _losses(mode: PsKd, epoch: int) -> list[float]:
    losses: tuple[Tensor, ...] = mode.losses(_batch([9, 12, 4], epoch), None)
    return [one.item() for one in losses]


def test_terms_that_read_features_are_refused() -> None:
    pair = example_pair()
    terms = {"similarity": Term(Similarity(pair, student_layer=None, teacher_layer=None), 1.0, 0, mixed=True)}
    with pytest.raises(UserError, match="knowledge similarity reads features, and past logits are all"):
        PsKd(_network(), terms, pair=pair, exported=_network(), weights=LossWeights(0.5, None), needs_teacher=False)
