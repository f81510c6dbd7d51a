from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from kdrun.models.committee import Committee, closest
from kdrun.models.specialist import Specialist

SETS = [[0, 3], [1, 2, 4]]


def _objective(log_q: Tensor, general: Tensor, own: Tensor, special: Tensor) -> Tensor:
    """KL(p || q) + KL(s || q) of one example, each sum written out."""
    total = torch.zeros((), dtype=general.dtype)
    for log_p, log_qi in zip(general, log_q, strict=True):
        total = total + log_p.exp() * (log_p - log_qi)
    dustbin = [sum(one[i].exp() for i in range(len(one)) if not special[i]) for one in (own, log_q)]
    for i in range(len(own)):
        if special[i]:
            total = total + own[i].exp() * (own[i] - log_q[i])
    if not special.all():
        total = total + dustbin[0] * (torch.as_tensor(dustbin[0]).log() - torch.as_tensor(dustbin[1]).log())
    return total


def _descended(general: Tensor, own: Tensor, special: Tensor) -> Tensor:
    """The minimum by gradient descent on logits, as in the paper."""
    logits = general.clone().requires_grad_(True)
    optimizer = torch.optim.LBFGS(
        [logits], max_iter=300, tolerance_grad=1e-12, tolerance_change=1e-16, line_search_fn="strong_wolfe"
    )

    def loss() -> Tensor:
        optimizer.zero_grad()
        value = _objective(logits.log_softmax(-1), general, own, special)
        value.backward()  # type: ignore[no-untyped-call]
        return value

    for _ in range(5):
        optimizer.step(loss)  # type: ignore[arg-type]
    return logits.detach().log_softmax(-1)


@pytest.mark.parametrize("classes", [[0], [0, 3], [1, 2, 4, 5], [0, 1, 2, 3, 4, 5], []], ids=str)
def test_it_is_the_minimum_that_gradient_descent_finds(classes: list[int]) -> None:
    generator = torch.Generator().manual_seed(len(classes))
    general, own = (2 * torch.randn(2, 3, 6, generator=generator, dtype=torch.float64)).log_softmax(-1)
    special = torch.zeros(3, 6, dtype=torch.bool)
    special[:, classes] = True
    found = closest(general, own, special)
    torch.testing.assert_close(found.exp().sum(-1), torch.ones(3, dtype=torch.float64))
    for one in zip(found, general, own, special, strict=True):
        torch.testing.assert_close(one[0].exp(), _descended(*one[1:]).exp(), rtol=0, atol=1e-6)
        assert _objective(*one) <= _objective(one[1], *one[1:]) + 1e-12


def test_certain_networks_give_finite_gradients_to_those_they_teach() -> None:
    general, own = (torch.tensor([[0.0, -400.0, -400.0]]), torch.tensor([[-400.0, 0.0, -400.0]]))
    assert closest(general, own, torch.tensor([[True, False, False]])).isfinite().all()


def _committee(sets: list[list[int]]) -> tuple[Committee, Tensor]:
    torch.manual_seed(0)
    members: list[nn.Module] = [nn.Linear(4, 5)]
    for number, classes in enumerate(sets):
        members.append(Specialist([nn.Linear(4, 5)], cluster=number, clusters=len(sets)))
        members[-1].special = torch.tensor([label in classes for label in range(5)])  # type: ignore[assignment]
    return Committee(members).eval(), torch.randn(40, 4)


def test_it_asks_the_specialist_of_the_generalists_first_choice() -> None:
    committee, inputs = _committee(SETS)
    general = committee.generalist(inputs).log_softmax(-1)
    own = [one(inputs).log_softmax(-1) for one in committee.specialists]
    said = committee(inputs)
    for row, choice in enumerate(general.argmax(-1).tolist()):
        number = next(number for number, classes in enumerate(SETS) if choice in classes)
        special = committee.sets[number]
        alone = closest(general[row, None], own[number][row, None], special[None])[0]
        torch.testing.assert_close(said[row], alone, rtol=1e-6, atol=1e-6)
    assert len(set(general.argmax(-1).tolist())) > 2


def test_where_nobody_has_the_class_the_generalist_speaks_alone() -> None:
    committee, inputs = _committee([[0, 3]])
    general = committee.generalist(inputs).log_softmax(-1)
    others = ~torch.isin(general.argmax(-1), torch.tensor([0, 3]))
    assert 0 < others.sum() < len(others)
    torch.testing.assert_close(committee(inputs)[others], general[others])
