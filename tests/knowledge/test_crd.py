"""The contrastive loss and its memory against their definitions."""

from __future__ import annotations

from math import exp, log

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from kdrun.errors import UserError
from kdrun.knowledge.crd import CRD, contrast, draw_partners, moved, scores
from kdrun.knowledge.made_up import batch, example_pair, signals

PAIR = example_pair()


def crd(*, negatives: int = 6) -> CRD:
    torch.manual_seed(0)
    numbers = {"embedding_size": 5, "negatives": negatives, "temperature": 0.07, "momentum": 0.5}
    return CRD(PAIR, student_layer="pooled", teacher_layer="pooled", **numbers).double()


def step(term: CRD, seed: int) -> Tensor:
    torch.manual_seed(seed)
    return term(signals(PAIR.student, seed), signals(PAIR.teacher, seed + 100), batch(PAIR))


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 4), st.integers(1, 6), st.integers(0, 2**32 - 1), st.floats(-3, 3))
def test_contrast_tells_the_partner_from_the_others(
    rows: int, negatives: int, seed: int, log_normaliser: float
) -> None:
    generator = torch.Generator().manual_seed(seed)
    values = torch.randn(rows, 1 + negatives, generator=generator, dtype=torch.float64) * 3
    expected = 0.0
    for partner, *others in values.tolist():
        ratios = [exp(score) / exp(log_normaliser) for score in (partner, *others)]
        expected -= log(ratios[0] / (ratios[0] + negatives))
        expected -= sum(log(negatives / (ratio + negatives)) for ratio in ratios[1:])
    value = contrast(values, torch.tensor(log_normaliser, dtype=torch.float64))
    assert value.item() == pytest.approx(expected / rows, rel=1e-10, abs=1e-10)


def test_published_numbers_start_at_log_n_plus_1_with_a_measured_normaliser() -> None:
    value = contrast(torch.zeros(1, 1 + 16384, dtype=torch.float64), torch.tensor(0.0))
    assert value.item() == pytest.approx(log(16385) + 1, abs=1e-3)


def test_read_with_the_papers_constant_the_start_would_cost_thousands() -> None:
    value = contrast(torch.zeros(1, 1 + 16384, dtype=torch.float64), torch.tensor(-log(50_000)))
    assert value.item() == pytest.approx(23_000, rel=0.01)


def test_scores_are_inner_products_with_the_partners_memories() -> None:
    generator = torch.Generator().manual_seed(0)
    embedding, memory = (torch.randn(rows, 3, generator=generator, dtype=torch.float64) for rows in (2, 7))
    partners = torch.tensor([[0, 6, 6], [4, 1, 2]])
    expected = [[(embedding[b] * memory[i]).sum() / 0.07 for i in row] for b, row in enumerate(partners)]
    torch.testing.assert_close(
        scores(embedding, memory, partners, temperature=0.07), torch.tensor(expected, dtype=torch.float64)
    )


def test_partners_are_oneself_first_and_never_again() -> None:
    rows = torch.tensor([0, 3, 9])
    partners = draw_partners(rows, 10, 2000)
    assert partners[:, 0].tolist() == rows.tolist()
    for own, *others in partners.tolist():
        assert set(others) == set(range(10)) - {own}


def test_memories_move_by_the_momentum_and_keep_length_1() -> None:
    memory = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    result = moved(memory, torch.tensor([1]), torch.tensor([[1.0, 0.0]]), momentum=0.5)
    torch.testing.assert_close(result, torch.tensor([[1.0, 0.0], [0.5**0.5, 0.5**0.5]]))


def test_only_the_memories_of_the_batch_move() -> None:
    term = crd()
    before = term.student_memory.clone(), term.teacher_memory.clone()
    step(term, 1)
    for old, new in zip(before, (term.student_memory, term.teacher_memory), strict=True):
        assert (old != new).any(dim=1).tolist() == [True] * 4 + [False] * 12


def test_there_is_a_memory_for_each_example_trained_on_and_an_id_finds_its_own() -> None:
    term = crd()
    before = term.student_memory.clone()
    assert before.shape == term.teacher_memory.shape == (16, 5)
    torch.manual_seed(0)
    ids = PAIR.example_ids[[7, 2, 15, 0]]
    term(signals(PAIR.student, 1), signals(PAIR.teacher, 2), batch(PAIR)._replace(ids=ids))
    assert (before != term.student_memory).any(dim=1).nonzero().flatten().tolist() == [0, 2, 7, 15]


def test_the_normalisers_are_measured_once() -> None:
    term = crd()
    step(term, 1)
    measured = term.log_normalisers.clone()
    step(term, 2)
    assert measured.isfinite().all()
    assert torch.equal(term.log_normalisers, measured)


def test_a_restored_term_goes_on_exactly_where_it_was() -> None:
    term, other = crd(), crd(negatives=6)
    step(term, 1)
    other.load_state_dict(term.state_dict())
    assert [step(term, seed).item() for seed in (2, 3)] == [step(other, seed).item() for seed in (2, 3)]


def test_the_backward_pass_works_after_the_memories_have_moved() -> None:
    term = crd()
    step(term, 1).backward()
    assert all(value.grad is not None and value.grad.abs().sum() > 0 for value in term.parameters())


def test_a_single_example_is_refused() -> None:
    with pytest.raises(UserError, match="crd needs 2 examples or more, got 1"):
        CRD(
            PAIR._replace(example_ids=torch.tensor([3])),
            student_layer="pooled",
            teacher_layer="pooled",
            embedding_size=5,
            negatives=6,
            temperature=0.07,
            momentum=0.5,
        )
