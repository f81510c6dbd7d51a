from __future__ import annotations

from collections import Counter

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from kdrun.data.batches import Batches, every_view, plain_batches
from kdrun.data.normalise import Normalise
from kdrun.data.split import Part
from kdrun.data.views import Crop, apply
from kdrun.signals import UNLABELLED, Batch

PIXELS = Normalise((0.0,), (1 / 255,))  # gives the pixels themselves, up to rounding
FAMILY = Crop(1, True)
PINNED = ([2, 1, 7, 5, 4, 6, 3, 0], [8, 7, 5, 6, 0, 6, 12, 2])  # ids and views

seeds = st.integers(0, 2**40)
epochs = st.integers(0, 1000)
sizes = st.integers(1, 40)


def part_of(num_examples: int, *, first_id: int = 0) -> Part:
    """Ids in an order of their own; example i has the label i mod 3 and an image drawn from i."""
    ids = torch.randperm(num_examples, generator=torch.Generator().manual_seed(9)) + first_id
    pixels = [torch.randint(256, (1, 3, 3), generator=torch.Generator().manual_seed(int(i))) for i in ids]
    return Part(torch.stack(pixels).to(torch.uint8), ids % 3, ids)


def batches_of(part: Part, *, batch_size: int, seed: int = 0, family: Crop = FAMILY) -> Batches:
    return Batches(part, batch_size=batch_size, family=family, normalise=PIXELS, seed=seed)


def ids_in(batches: list[Batch]) -> list[int]:
    return [int(i) for batch in batches for i in batch.ids]


def view_by_id(batches: list[Batch]) -> dict[int, int]:
    pairs = (zip(batch.ids.tolist(), batch.views.tolist(), strict=True) for batch in batches)
    return dict(pair for batch in pairs for pair in batch)


def tensors(batch: Batch) -> list[Tensor]:
    assert isinstance(batch.inputs, Tensor)
    return [batch.inputs, batch.labels, batch.ids, batch.views]


@settings(deadline=None, max_examples=40)
@given(num_examples=sizes, batch_size=sizes, seed=seeds, epoch=epochs)
def test_an_epoch_has_full_batches_and_shows_no_example_twice(
    num_examples: int, batch_size: int, seed: int, epoch: int
) -> None:
    part = part_of(num_examples)
    stream = batches_of(part, batch_size=batch_size, seed=seed)
    batches = list(stream.epoch(epoch))
    ids = ids_in(batches)
    size = min(batch_size, num_examples)
    assert len(batches) == stream.steps_per_epoch == num_examples // size
    assert {len(batch.labels) for batch in batches} == {size}
    assert len(set(ids)) == len(ids)
    assert set(ids) <= set(part.ids.tolist())


@settings(deadline=None, max_examples=40)
@given(num_examples=sizes, sizes=st.tuples(sizes, sizes), seed=seeds, epoch=epochs)
def test_order_and_views_do_not_depend_on_the_batch_size(
    num_examples: int, sizes: tuple[int, int], seed: int, epoch: int
) -> None:
    part = part_of(num_examples)
    one, other = (list(batches_of(part, batch_size=size, seed=seed).epoch(epoch)) for size in sizes)
    shared = min(len(ids_in(one)), len(ids_in(other)))
    assert ids_in(one)[:shared] == ids_in(other)[:shared]
    views = view_by_id(other)
    assert all(views.get(i, view) == view for i, view in view_by_id(one).items())


@settings(deadline=None, max_examples=40)
@given(num_examples=sizes, batch_size=sizes, seed=seeds, epoch=epochs, start=st.integers(0, 41))
def test_an_epoch_taken_up_at_step_k_goes_on_exactly(
    num_examples: int, batch_size: int, seed: int, epoch: int, start: int
) -> None:
    part = part_of(num_examples)
    whole = list(batches_of(part, batch_size=batch_size, seed=seed).epoch(epoch))
    rest = list(batches_of(part, batch_size=batch_size, seed=seed).epoch(epoch, start=start))
    assert len(rest) == max(0, len(whole) - start)
    for got, expected in zip(rest, whole[start:], strict=True):
        assert all(torch.equal(a, b) for a, b in zip(tensors(got), tensors(expected), strict=True))


def test_the_view_of_an_example_does_not_depend_on_the_others_in_the_part() -> None:
    part = part_of(200)
    few = Part(part.images[:50], part.labels[:50], part.ids[:50])
    views = view_by_id(list(batches_of(part, batch_size=1).epoch(4)))
    assert view_by_id(list(batches_of(few, batch_size=1).epoch(4))).items() <= views.items()


def test_a_batch_shows_each_example_in_its_view_with_its_own_label() -> None:
    part = part_of(20, first_id=100)
    row = {int(i): n for n, i in enumerate(part.ids)}
    for batch in batches_of(part, batch_size=8).epoch(2):
        rows = torch.tensor([row[int(i)] for i in batch.ids])
        assert torch.equal(batch.labels, part.labels[rows])
        assert batch.epoch == 2
        assert isinstance(batch.inputs, Tensor)
        expected = apply(part.images[rows], batch.views, FAMILY).float()
        torch.testing.assert_close(batch.inputs, expected)


def test_seeds_and_epochs_give_orders_and_views_of_their_own() -> None:
    part = part_of(40)
    drawn = [list(batches_of(part, batch_size=40, seed=seed).epoch(epoch)) for seed, epoch in ((0, 0), (0, 1), (1, 0))]
    assert len({tuple(ids_in(batches)) for batches in drawn}) == 3
    assert len({tuple(sorted(view_by_id(batches).items())) for batches in drawn}) == 3


def test_every_view_of_the_family_is_drawn_about_equally_often() -> None:
    stream = batches_of(part_of(360), batch_size=360)
    views = torch.cat([batch.views for epoch in range(50) for batch in stream.epoch(epoch)])
    counts = torch.bincount(views, minlength=FAMILY.count)
    assert len(counts) == FAMILY.count
    # 18,000 draws of 18 views: 1,000 each, standard deviation 31; five of them either way.
    assert (counts - 1000).abs().max() < 155


def test_drawing_batches_leaves_the_global_generator_alone() -> None:
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    list(batches_of(part_of(8), batch_size=4).epoch(0))
    assert torch.equal(torch.rand(2), expected)


def test_order_and_views_of_a_seed_never_change() -> None:
    """Pinned: the numbers of every stored run hang on them."""
    batch = next(batches_of(part_of(8), batch_size=8, seed=5).epoch(3))
    assert (batch.ids.tolist(), batch.views.tolist()) == PINNED


def test_ids_are_below_the_id_count() -> None:
    stream = batches_of(part_of(7, first_id=10), batch_size=3)
    assert (stream.num_examples, stream.id_count) == (7, 17)


def test_plain_batches_show_every_example_once_in_order_and_unaugmented() -> None:
    part = part_of(10)
    batches = list(plain_batches(part, batch_size=4, normalise=PIXELS))
    assert [len(batch.labels) for batch in batches] == [4, 4, 2]
    assert ids_in(batches) == part.ids.tolist()
    assert all(batch.views.eq(0).all() and batch.epoch == 0 for batch in batches)
    inputs = torch.cat([tensors(batch)[0] for batch in batches])
    torch.testing.assert_close(inputs, part.images.float())


def test_plain_batches_of_an_empty_part_are_none() -> None:
    part = part_of(2)
    empty = Part(part.images[:0], part.labels[:0], part.ids[:0])
    assert list(plain_batches(empty, batch_size=4, normalise=PIXELS)) == []


def test_batches_of_training_are_numbered_in_their_epoch_and_others_are_not() -> None:
    part = part_of(10)
    assert [batch.step for batch in batches_of(part, batch_size=3).epoch(0, start=1)] == [1, 2]
    assert {batch.step for batch in plain_batches(part, batch_size=3, normalise=PIXELS)} == {-1}


def test_every_view_shows_every_example_once_in_each() -> None:
    part = part_of(5)
    batches = list(every_view(part, batch_size=3, family=FAMILY, normalise=PIXELS))
    shown = [pair for batch in batches for pair in zip(batch.views.tolist(), batch.ids.tolist(), strict=True)]
    assert shown == [(view, i) for view in range(FAMILY.count) for i in part.ids.tolist()]
    for batch in batches:
        rows = torch.cat([(part.ids == i).nonzero()[0] for i in batch.ids])
        expected = apply(part.images[rows], batch.views, FAMILY).float()
        torch.testing.assert_close(tensors(batch)[0], expected)


def favouring(num_examples: int, *, batch_size: int, classes: list[int]) -> Batches:
    part = part_of(num_examples)
    favoured = torch.isin(part.labels, torch.tensor(classes))
    return Batches(part, batch_size=batch_size, family=FAMILY, normalise=PIXELS, seed=3, favoured=favoured)


@settings(deadline=None, max_examples=20)
@given(num_examples=st.integers(12, 60), classes=st.sampled_from([[0], [0, 2]]), epoch=epochs)
def test_half_of_an_epoch_is_of_the_favoured_each_as_often_as_the_others(
    num_examples: int, classes: list[int], epoch: int
) -> None:
    batches = list(favouring(num_examples, batch_size=1, classes=classes).epoch(epoch))
    sides = [[int(b.ids) for b in batches if (int(b.labels) in classes) is wanted] for wanted in (True, False)]
    assert [len(side) for side in sides] == [num_examples // 2, num_examples - num_examples // 2]
    labels = part_of(num_examples).labels.tolist()
    for side, wanted in zip(sides, (True, False), strict=True):
        pool = sum((label in classes) is wanted for label in labels)
        times = Counter(side).values()
        assert max(times) <= -(-len(side) // pool)
        assert len(times) == min(pool, len(side))


def test_favoured_epochs_differ_are_mixed_and_go_on_from_any_step() -> None:
    stream = favouring(60, batch_size=6, classes=[0])
    whole = list(stream.epoch(2))
    assert len(whole) == stream.steps_per_epoch == 10
    shares = [float((batch.labels == 0).float().mean()) for batch in whole]
    assert min(shares) > 0
    assert max(shares) < 1
    for start in (1, 7):
        for ours, theirs in zip(stream.epoch(2, start=start), whole[start:], strict=True):
            assert all(torch.equal(a, b) for a, b in zip(tensors(ours), tensors(theirs), strict=True))
    again = favouring(60, batch_size=6, classes=[0])
    assert ids_in(list(again.epoch(2))) == ids_in(whole)
    assert ids_in(list(stream.epoch(3))) != ids_in(whole)


def test_a_longer_epoch_shows_all_examples_again_in_views_of_their_own() -> None:
    part = part_of(10)
    stream = Batches(part, batch_size=5, family=FAMILY, normalise=PIXELS, seed=3, length=25)
    batches = list(stream.epoch(1))
    ids, views = ids_in(batches), [int(view) for batch in batches for view in batch.views]
    assert len(batches) == stream.steps_per_epoch == 5
    assert sorted(ids[:10]) == sorted(ids[10:20]) == sorted(part.ids.tolist())
    assert len(set(ids[20:])) == 5
    assert ids[:10] != ids[10:20]
    first, second = (dict(zip(ids[k : k + 10], views[k : k + 10], strict=True)) for k in (0, 10))
    assert first != second
    once = list(batches_of(part, batch_size=5, seed=3).epoch(1))
    assert (ids[:10], first) == (ids_in(once), view_by_id(once))
    rest = list(stream.epoch(1, start=3))
    assert all(
        torch.equal(a, b)
        for ours, whole in zip(rest, batches[3:], strict=True)
        for a, b in zip(tensors(ours), tensors(whole), strict=True)
    )


def test_a_batch_says_whether_its_data_have_labels_throughout() -> None:
    part = part_of(10)
    some = Part(part.images, torch.where(torch.arange(10) < 9, part.labels, UNLABELLED), part.ids)
    assert {batch.all_labelled for batch in batches_of(part, batch_size=5).epoch(0)} == {True}
    assert {batch.all_labelled for batch in batches_of(some, batch_size=5).epoch(0)} == {False}
