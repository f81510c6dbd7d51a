"""The classes of specialists: in a run's stream of batches, in its result, and for people."""

from __future__ import annotations

from torch import Tensor, nn

from kdrun.errors import UserError
from kdrun.experiment.lab import Data
from kdrun.models import Specialised
from kdrun.runs.spec import RunSpec


def special_of(spec: RunSpec, network: nn.Module) -> Tensor | None:
    """(K,) bool: the classes that half of a run's examples are of; None where it sees all examples alike.

    network: the run's, which has settled.
    """
    return network.sets[0] if "special" in spec.examples and isinstance(network, Specialised) else None


def special_classes(network: nn.Module, data: Data) -> str:
    """The classes of a network's specialists by name: `0, 6; 3, 5, 8; 4, 9`; empty where it has none."""
    names, sets = data.splits.class_names, network.sets if isinstance(network, Specialised) else ()
    return "; ".join(", ".join(names[number] for number in one.nonzero().flatten()) for one in sets)


def check_special(spec: RunSpec, data: Data) -> None:
    """Raises UserError where there are more specialists than pairs of classes to tell apart."""
    special = spec.examples.get("special")
    if special and special["of"] > data.num_classes // 2:
        raise UserError(
            f"teacher.specialists must be at most half the classes, {data.num_classes // 2} of {data.num_classes}, "
            f"got {special['of']}"
        )
