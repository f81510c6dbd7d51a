"""What the explorer shows, in whichever form: networks, examples, temperatures, alike classes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from kdrun.errors import UserError
from kdrun.experiment.answers import Answers, Said
from kdrun.explorer.choosing import Chosen, choose
from kdrun.metrics.softened import class_similarity

# Stops of the slider, about evenly spaced on a logarithmic scale, on numbers that people say.
STOPS = (
    *(0.5, 0.6, 0.7, 0.8, 0.9, 1, 1.2, 1.4, 1.6, 1.8, 2, 2.25, 2.5, 2.75, 3, 3.5, 4, 4.5),
    *(5, 5.5, 6, 7, 8, 9, 10, 12, 14, 16, 18, 20),
)
# A page keeps the similarity of classes at so many temperatures that it stays below these many numbers (320 kB).
MOST_SIMILARITIES = 60_000


@dataclass(frozen=True, eq=False)
class View:
    """The test examples and what the networks say of them.

    tau, alpha: what the reader sees first. chosen: the examples to look at; the first is opened.
    """

    answers: Answers
    tau: float
    alpha: float
    chosen: tuple[Chosen, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Class k is `names[k]`."""
        return self.answers.class_names

    @property
    def teacher(self) -> Said:
        return next(iter(self.answers.said.values()))

    @property
    def learners(self) -> Mapping[str, Said]:
        """By role all networks but the teacher."""
        return dict(list(self.answers.said.items())[1:])

    @cached_property
    def taus(self) -> tuple[float, ...]:
        """Where the slider stops."""
        return tuple(sorted({*map(float, STOPS), self.tau}))

    @cached_property
    def kept_taus(self) -> tuple[float, ...]:
        """The stops at which a page keeps the similarity of classes, the first tau among them; () for none."""
        room = MOST_SIMILARITIES // len(self.names) ** 2
        if room < 1:
            return ()
        step = -(-len(self.taus) // room)
        return tuple(self.taus[self.taus.index(self.tau) % step :: step])

    def similarity(self, tau: float) -> Tensor:
        """(K, K) mean softened probability of each class over the test examples of each class."""
        return class_similarity(self.teacher.logits, self.answers.test.labels, tau=tau)


def view(answers: Answers, *, tau: float, alpha: float, example: int | None) -> View:
    """Chooses what is shown. example: the id of the test example to begin with; None: the most telling one.

    Raises UserError where there is no test example with that id.
    """
    logits = {role: said.logits for role, said in answers.said.items()}
    asked = None if example is None else _row(answers.test.ids, example)
    return View(answers, tau, alpha, tuple(choose(logits, answers.test.labels, asked)))


def _row(ids: Tensor, example: int) -> int:
    rows = torch.nonzero(ids == example)
    if not len(rows):
        some = ", ".join(map(str, ids[:3].tolist()))
        raise UserError(
            f"no test example has the id {example}; there are {len(ids):,}, such as {some} "
            "(predictions.csv of the run lists them)"
        )
    return int(rows[0, 0])
