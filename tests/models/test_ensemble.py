"""An ensemble's logits against means of probabilities that are formed one by one, in float64."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from kdrun.models.convnet import ConvNet
from kdrun.models.ensemble import Ensemble, Mean
from kdrun.models.folding import folded

MEANS: tuple[Mean, ...] = ("arithmetic", "geometric")


class Says(nn.Module):
    """A network that always gives the same logits."""

    def __init__(self, logits: Tensor) -> None:
        super().__init__()
        self.logits = logits

    def forward(self, _inputs: Tensor) -> Tensor:
        return self.logits


def _softmax(logits: Sequence[float], tau: float) -> list[float]:
    highest = max(logits)
    powers = [math.exp((one - highest) / tau) for one in logits]
    return [power / sum(powers) for power in powers]


def _mean(members: list[list[float]], tau: float, mean: Mean) -> list[float]:
    """The mean of the members' softened probabilities of one example, at sum 1."""
    columns = list(zip(*(_softmax(logits, tau) for logits in members), strict=True))
    if mean == "arithmetic":
        return [sum(column) / len(column) for column in columns]
    products = [math.exp(sum(math.log(one) for one in column) / len(column)) for column in columns]
    return [product / sum(products) for product in products]


def _ensemble(logits: Tensor, mean: Mean, tau: float) -> Ensemble:
    return Ensemble([Says(one) for one in logits], mean=mean, tau=tau if mean == "arithmetic" else None)


@pytest.mark.parametrize("mean", MEANS)
@given(members=st.integers(1, 5), tau=st.floats(0.5, 20), seed=st.integers(0, 1000))
def test_softened_at_tau_they_are_the_mean_of_the_members(mean: Mean, members: int, tau: float, seed: int) -> None:
    logits = 3 * torch.randn(members, 6, 4, generator=torch.Generator().manual_seed(seed))
    said = _ensemble(logits, mean, tau)(torch.empty(6))
    for row, probs in enumerate((said / tau).softmax(1).tolist()):
        assert probs == pytest.approx(_mean(logits[:, row].double().tolist(), tau, mean), abs=1e-5)


@pytest.mark.parametrize("mean", MEANS)
def test_one_member_is_that_member(mean: Mean) -> None:
    logits = 10 * torch.randn(1, 6, 4)
    said = _ensemble(logits, mean, 4.0)(torch.empty(6))
    for tau in (1.0, 4.0):
        torch.testing.assert_close((said / tau).softmax(1), (logits[0] / tau).softmax(1))


@pytest.mark.parametrize("tau", [1.0, 7.0])
def test_a_geometric_mean_is_one_at_every_temperature(tau: float) -> None:
    logits = 3 * torch.randn(3, 6, 4)
    said = _ensemble(logits, "geometric", 4.0)(torch.empty(6))
    for row, probs in enumerate((said / tau).softmax(1).tolist()):
        assert probs == pytest.approx(_mean(logits[:, row].double().tolist(), tau, "geometric"), abs=1e-5)


@pytest.mark.parametrize("mean", MEANS)
def test_members_that_are_sure_leave_it_finite(mean: Mean) -> None:
    logits = torch.tensor([[[300.0, 0.0, -300.0]], [[-300.0, 0.0, 300.0]]])
    said = _ensemble(logits, mean, 0.5)(torch.empty(1))
    assert said.isfinite().all()
    assert said[0, 0] == pytest.approx(said[0, 2])


def test_it_has_nothing_of_its_own_to_keep_and_needs_a_temperature_for_an_arithmetic_mean() -> None:
    network = nn.Linear(2, 2)
    assert Ensemble([network], mean="geometric").own_state() == {}
    with pytest.raises(ValueError, match="temperature > 0"):
        Ensemble([network], mean="arithmetic")


def test_as_a_teacher_its_members_batch_norms_are_folded() -> None:
    members = [
        ConvNet(in_channels=1, image_size=8, num_classes=3, stem_width=4, stem_stride=1, widths=[4, 8], convs=2)
        for _ in range(2)
    ]
    ensemble = Ensemble(members, mean="arithmetic", tau=2.0)
    with torch.no_grad():
        for _ in range(3):
            ensemble.train()(torch.rand(16, 1, 8, 8) + 1)
    copy, images = folded(ensemble), torch.rand(5, 1, 8, 8)
    assert not [module for module in copy.modules() if isinstance(module, nn.BatchNorm2d)]
    torch.testing.assert_close(copy(images), ensemble.eval()(images), atol=1e-5, rtol=1e-4)
