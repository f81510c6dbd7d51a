from __future__ import annotations

from collections import Counter
from math import log

import pytest
import torch
from torch import Tensor, nn

from kdrun.errors import UserError
from kdrun.models.specialist import Specialist
from kdrun.signals import Batch

LABELS = torch.tensor([0] * 10 + [1] * 20 + [2] * 30 + [3] * 5)


def _settled(cluster: int) -> tuple[nn.Module, Specialist, Tensor]:
    """A specialist of a generalist that confuses 0 with 2 and 1 with 3, and inputs."""
    torch.manual_seed(1)
    generalist = nn.Linear(4, 4)
    with torch.no_grad():
        generalist.weight.copy_(torch.tensor([[1.0, 0, 1, 0], [0, 1, 0, 1], [1, 0, 0.8, 0], [0, 1, 0, 0.8]]))
    inputs = 3 * torch.randn(len(LABELS), 4)
    numbers = torch.arange(len(LABELS))
    specialist = Specialist([generalist], cluster=cluster, clusters=2)
    specialist.settle([Batch(inputs[rows], LABELS[rows], numbers, numbers, 0) for rows in numbers.split(50)])
    return generalist, specialist, inputs


@pytest.mark.parametrize(("cluster", "classes"), [(0, [0, 2]), (1, [1, 3])])
def test_it_begins_as_the_generalist_with_a_set_of_confused_classes(cluster: int, classes: list[int]) -> None:
    generalist, specialist, inputs = _settled(cluster)
    assert specialist.special.nonzero().flatten().tolist() == classes
    assert torch.equal(specialist.train()(inputs), generalist(inputs))


@pytest.mark.parametrize("cluster", [0, 1])
def test_in_use_the_dustbins_odds_are_those_of_the_data_and_not_of_the_training(cluster: int) -> None:
    """Counted: half of what is shown is special, so the odds seen are 1; those of the data are their counts'."""
    _, specialist, inputs = _settled(cluster)
    special = specialist.special
    counts = Counter(bool(special[label]) for label in LABELS.tolist())
    shown, used = (specialist.train(mode)(inputs).softmax(-1) for mode in (True, False))
    odds = [one[:, ~special].sum(-1) / one[:, special].sum(-1) for one in (shown, used)]
    torch.testing.assert_close(odds[1] / odds[0], torch.full((len(LABELS),), counts[False] / counts[True]))
    assert float(specialist.log_odds) == pytest.approx(log(counts[False] / counts[True]))


def test_training_it_leaves_the_generalist_alone() -> None:
    generalist, specialist, inputs = _settled(0)
    before = generalist.weight.clone()  # type: ignore[operator]
    specialist.train()(inputs).sum().backward()
    assert generalist.weight.grad is None
    assert all(one.grad is not None for one in specialist.parameters())
    with torch.no_grad():
        specialist.network.weight.add_(1.0)  # type: ignore[operator]
    assert torch.equal(generalist.weight, before)  # type: ignore[arg-type]


def test_the_dustbins_odds_are_not_rounded_to_half_precision() -> None:
    _, specialist, inputs = _settled(0)
    rounded = specialist.to(torch.bfloat16).train()(inputs.bfloat16())
    specialist.log_odds = torch.tensor(1.001)
    added = specialist.eval()(inputs.bfloat16()) - rounded.float()
    torch.testing.assert_close(added[:, ~specialist.special].mean(), torch.tensor(1.001), rtol=1e-5, atol=0)


@pytest.mark.parametrize(("cluster", "told"), [(0, "only of other classes"), (1, "of no other classes")])
def test_a_set_of_which_there_is_no_example_or_nothing_else_is_refused(cluster: int, told: str) -> None:
    """Of the pairs 0, 2 and 1, 3 only the second has examples."""
    generalist, _, inputs = _settled(cluster)
    numbers = torch.arange(len(LABELS))
    with pytest.raises(UserError, match=f"specialist {cluster + 1} of 2 would see examples {told}: the generalist's"):
        Specialist([generalist], cluster=cluster, clusters=2).settle(
            [Batch(inputs, torch.where(LABELS % 2 == 0, 1, 3), numbers, numbers, 0)]
        )


def test_its_state_holds_its_set() -> None:
    generalist, specialist, inputs = _settled(1)
    again = Specialist([generalist], cluster=1, clusters=2)
    again.load_state_dict(specialist.own_state())
    assert torch.equal(again.special, specialist.special)
    assert torch.equal(again.eval()(inputs), specialist.eval()(inputs))
