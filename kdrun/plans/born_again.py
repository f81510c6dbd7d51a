"""The plan of born-again networks: a chain of students of one architecture, each taught by the one before."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import product

from kdrun.errors import UserError
from kdrun.plans import Learner, Row
from kdrun.plans.assembled import averaged
from kdrun.plans.specs import Specs, initial_seed
from kdrun.runs.spec import RunSpec


class BornAgain:
    """For each generation a row, and one for their ensemble; generation 0 is the baseline.

    Controls stand in for generation 0, whatever their row.

    generations: how many after the baseline, at least 1. ensemble: whether the mean of their probabilities is a row.
    Raises UserError for a number out of range, an ensemble of one, seeds that meet, and where no term has a weight.
    Source: Furlanello et al. 2018, arXiv:1805.04770; their ensembles are section 3.2's.
    """

    def __init__(self, *, generations: int, ensemble: bool) -> None:
        if generations < 1:
            raise UserError(f"mode.generations must be at least 1, got {generations}")
        if ensemble and generations == 1:
            raise UserError("mode.ensemble=true is a mean of generations, got mode.generations=1; type 2 or more")
        self._generations, self._ensemble = generations, ensemble

    def rows(self, specs: Specs) -> Iterator[Row]:
        specs.check_no_crowd()
        if not specs.is_taught:
            raise UserError("mode=born_again with alpha=0: no generation would learn from another; type alpha > 0")
        self._check_beginnings(specs.config.seeds)
        chains = {seed: self._chain(specs, seed) for seed in specs.config.seeds}
        for number in range(1, self._generations + 1):
            learners = (
                Learner(seed, chain[number], chain[number - 1], chain[0], substituted=chain[0])
                for seed, chain in chains.items()
            )
            yield Row(tuple(learners), f"generation {number}", _called(specs, number - 1))
        if self._ensemble:
            means = ((seed, _mean(chain[1:], seed), chain[0]) for seed, chain in chains.items())
            learners = (Learner(seed, mean, first, first) for seed, mean, first in means)
            yield Row(tuple(learners), f"ensemble of generations 1 to {self._generations}", _called(specs, 0))

    def _check_beginnings(self, seeds: Sequence[int]) -> None:
        """Raises UserError where a network would begin as one of another seed does."""
        begun: dict[int, tuple[int, int]] = {}
        for seed, number in product(seeds, range(self._generations + 1)):
            first = begun.setdefault(initial_seed(seed, number), (seed, number))
            if first != (seed, number):
                raise UserError(
                    f"mode=born_again: generation {number} of seed {seed} begins as generation {first[1]} of seed "
                    f"{first[0]} does, from seed {initial_seed(seed, number)}, because generations are 1000 apart; "
                    f"type seeds below 1000, such as seeds={list(range(len(seeds)))}"
                )

    def _chain(self, specs: Specs, seed: int) -> list[RunSpec]:
        chain = [specs.baseline(seed)]
        for number in range(1, self._generations + 1):
            chain.append(replace(specs.student(seed, chain[-1]), seed=initial_seed(seed, number)))
        return chain


def _called(specs: Specs, number: int) -> str:
    """What teachers of a generation are called: as their network where it is generation 0, the baseline."""
    name: str = specs.config.student["name"]
    return f"{name} of generation {number}" if number else name


def _mean(generations: list[RunSpec], seed: int) -> RunSpec:
    return averaged(replace(generations[0], seed=seed), generations, mean="arithmetic", tau=1.0)
