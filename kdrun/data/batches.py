"""Batches of a part on the training device, in an order that depends on seed and epoch alone."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator

import torch
from torch import Tensor

from kdrun.data.normalise import Normalise
from kdrun.data.split import Part
from kdrun.data.views import Crop, apply
from kdrun.signals import UNLABELLED, Batch

__all__ = ["Batches", "Normalise", "every_view", "plain_batches"]


class Batches:
    """Shuffled and augmented batches for training.

    The order of an epoch is a pure function of (seed, epoch, number of examples), and the view of an example
    of (seed, epoch, its id), whatever the batch size and whichever other examples the part holds.

    part: examples, N >= 1. batch_size: B >= 1; N where it is larger.
    family: the views that examples are drawn in. normalise: makes inputs of pixels. seed: the data seed.
    favoured: (N,) bool, some examples but not all; None: an epoch shows no example twice. With it, one half of an
        epoch is drawn of them and the other half of the rest, either all of them as often as that takes and a random
        remainder; an example that comes twice in an epoch comes in the same view.
    length: how many examples an epoch shows, N unless it is given; in a longer one each comes again, in another view,
        after all of them have been shown.

    steps_per_epoch: number of full batches; the examples left over sit this epoch out.
    num_examples: N. id_count: ids are in [0, id_count).
    """

    def __init__(
        self,
        part: Part,
        *,
        batch_size: int,
        family: Crop,
        normalise: Normalise,
        seed: int,
        favoured: Tensor | None = None,
        length: int | None = None,
    ) -> None:
        self.num_examples = len(part)
        self._length = length or self.num_examples
        self.batch_size = min(batch_size, self._length)
        self.steps_per_epoch = self._length // self.batch_size
        self.id_count = int(part.ids.max()) + 1
        self._part, self._ids = part, part.ids.cpu()
        self._all_labelled = not bool((part.labels == UNLABELLED).any())
        self._family, self._normalise, self._seed = family, normalise, seed
        self._favoured = None if favoured is None else favoured.cpu()

    def epoch(self, epoch: int, *, start: int = 0) -> Iterator[Batch]:
        """The batches of an epoch from step `start` on, each exactly as if the epoch had begun at step 0."""
        part, device = self._part, self._part.labels.device
        steps = slice(start * self.batch_size, self.steps_per_epoch * self.batch_size)
        order, views = (each[steps] for each in self._draw(epoch))
        views = views.to(device)
        labels, ids = (each[order.to(device)] for each in (part.labels, part.ids))
        for number, images in enumerate(part.batches(order, self.batch_size)):
            rows = slice(number * self.batch_size, (number + 1) * self.batch_size)
            inputs = self._normalise(apply(images, views[rows], self._family))
            yield Batch(inputs, labels[rows], ids[rows], views[rows], epoch, start + number, self._all_labelled)

    def _draw(self, epoch: int) -> tuple[Tensor, Tensor]:
        """Rows of the part as an epoch shows them, and their views.

        Views are drawn for every possible id, so that an example's depends on its id alone.
        """
        orders, views = self._generator("order", epoch), self._generator("views", epoch)
        drawn = []
        for _ in range(math.ceil(self._length / self.num_examples)):
            order = self._order(orders)
            by_id = torch.randint(self._family.count, (self.id_count,), generator=views)
            drawn.append((order, by_id[self._ids[order]]))
        rows, shown_in = zip(*drawn, strict=True)
        return torch.cat(rows)[: self._length], torch.cat(shown_in)[: self._length]

    def _order(self, generator: torch.Generator) -> Tensor:
        """(N,) rows of the part, shuffled."""
        shuffled = torch.randperm(self.num_examples, generator=generator)
        if self._favoured is None:
            return shuffled
        half = self.num_examples // 2
        favoured, others = (mask.nonzero().flatten() for mask in (self._favoured, ~self._favoured))
        drawn = [_drawn(favoured, half, generator), _drawn(others, self.num_examples - half, generator)]
        return torch.cat(drawn)[shuffled]

    def _generator(self, purpose: str, epoch: int) -> torch.Generator:
        digest = hashlib.sha256(f"{purpose} {self._seed} {epoch}".encode()).digest()
        return torch.Generator().manual_seed(int.from_bytes(digest[:8], "big"))


def _drawn(examples: Tensor, count: int, generator: torch.Generator) -> Tensor:
    """So many of them: permutations one after the other, the last one cut."""
    rounds = -(-count // len(examples))
    order = torch.cat([torch.randperm(len(examples), generator=generator) for _ in range(rounds)])
    return examples[order[:count]]


def plain_batches(part: Part, *, batch_size: int, normalise: Normalise) -> Iterator[Batch]:
    """All examples in their order, unaugmented (view 0, epoch 0); the last batch may be smaller."""
    return every_view(part, batch_size=batch_size, family=Crop(padding=0, flip=False), normalise=normalise)


def every_view(part: Part, *, batch_size: int, family: Crop, normalise: Normalise) -> Iterator[Batch]:
    """All examples in their order in view 0, then in view 1, and so on; the last batch of a view may be smaller."""
    for view in range(family.count):
        for number, images in enumerate(part.batches(torch.arange(len(part)), batch_size)):
            rows = slice(number * batch_size, (number + 1) * batch_size)
            ids = part.ids[rows]
            views = torch.full_like(ids, view)
            yield Batch(normalise(apply(images, views, family)), part.labels[rows], ids, views, epoch=0)
