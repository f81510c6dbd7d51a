from __future__ import annotations

import torch
from torch.nn import functional

from kdrun.modes.specialising import grouped_cross_entropy

SPECIAL = torch.tensor([True, False, True, False, False])


def test_it_is_the_loop_that_the_paper_describes() -> None:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(20, 5, generator=generator, dtype=torch.float64)
    labels = torch.arange(20) % 5
    total = 0.0
    for row, label in zip(logits.softmax(-1).tolist(), labels.tolist(), strict=True):
        prob = row[label] if SPECIAL[label] else sum(p for p, special in zip(row, SPECIAL, strict=True) if not special)
        total -= torch.tensor(prob, dtype=torch.float64).log().item()
    torch.testing.assert_close(grouped_cross_entropy(logits, labels, SPECIAL).item(), total / 20)


def test_within_the_dustbin_labels_do_not_matter() -> None:
    logits = torch.randn(3, 5, generator=torch.Generator().manual_seed(1))
    by_label = [grouped_cross_entropy(logits, torch.full((3,), label), SPECIAL) for label in (1, 3, 4)]
    assert torch.equal(by_label[0], by_label[1])
    assert torch.equal(by_label[0], by_label[2])


def test_without_a_dustbin_it_is_cross_entropy() -> None:
    logits, labels = torch.randn(8, 5, generator=torch.Generator().manual_seed(2)), torch.arange(8) % 5
    expected = functional.cross_entropy(logits, labels)
    torch.testing.assert_close(grouped_cross_entropy(logits, labels, torch.ones(1, dtype=torch.bool)), expected)
