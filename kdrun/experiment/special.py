"""The classes of specialists: in a run's stream of batches, in its result, and for people."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from torch import Tensor

from kdrun.errors import UserError
from kdrun.experiment.lab import Data, Lab
from kdrun.experiment.running import Running
from kdrun.models import Specialised
from kdrun.runs.spec import RunSpec


def special_of(run: Running) -> Tensor | None:
    """(K,) bool: the classes that half of a run's examples are of; None where it sees all examples alike."""
    network = run.learner.network
    return network.sets[0] if "special" in run.spec.examples and isinstance(network, Specialised) else None


def special_classes(network: Specialised, data: Data) -> str:
    """The classes of its specialists by name: `0, 6; 3, 5, 8; 4, 9`."""
    names = data.splits.class_names
    return "; ".join(", ".join(names[number] for number in one.nonzero().flatten()) for one in network.sets)


def specialities(runs: Sequence[Running], lab: Lab) -> Iterator[str]:
    """A line for each specialist among runs."""
    for run in runs:
        network = run.learner.network
        if isinstance(network, Specialised):
            classes = special_classes(network, lab.data(run.spec.dataset))
            yield f"{run.spec.model['name']} is to know {classes}; all others are one class to it"


def check_special(spec: RunSpec, data: Data) -> None:
    """Raises UserError where there are more specialists than pairs of classes to tell apart."""
    special = spec.examples.get("special")
    if special and special["of"] > data.num_classes // 2:
        raise UserError(
            f"teacher.specialists must be at most half the classes, {data.num_classes // 2} of {data.num_classes}, "
            f"got {special['of']}"
        )
