"""Runs that train nothing: their networks are put together from their parents'."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import nn

from kdrun.experiment.failures import NotFinite, floating, not_finite
from kdrun.experiment.lab import Lab
from kdrun.experiment.measure import finish
from kdrun.experiment.running import finished_network, mode_of, settle
from kdrun.runs.spec import RunSpec


def assemble(spec: RunSpec, lab: Lab) -> Mapping[str, Any]:
    """Puts a network together, evaluates it, and writes what stays; returns its result.

    It has taken as many epochs as the longest of the runs that it is made of, and the seconds of all of them.
    Raises NotFinite where what was found as it was put together, or what was measured, is not.
    """
    folder = lab.store.folder(spec)
    network = mode_of(spec, lab).student.to(lab.device)
    before = not_finite(floating(network))
    settle(spec, network, lab)
    if bad := set(not_finite(floating(network))) - set(before):
        raise NotFinite(f"{', '.join(sorted(bad))} of the network that was put together is not finite")
    parents = [lab.store.folder(parent).result() for parent in _made_of(spec, network, lab)]
    told = {
        "teacher_signals": None,
        "epochs": max(parent["epochs"] for parent in parents),
        "train_seconds": sum(parent["train_seconds"] for parent in parents),
    }
    folder.start(spec, {})
    return finish(spec, network, lab, rows=[], told=told)


def _made_of(spec: RunSpec, network: nn.Module, lab: Lab) -> Sequence[RunSpec]:
    """Its parents, but for those whose networks are no part of its own: they were only asked something."""
    parts = set(network.modules())
    return [parent for parent in spec.parents if finished_network(parent, lab) in parts] or spec.parents  # a copy
