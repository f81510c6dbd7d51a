"""Runs that train nothing: their networks are put together from others."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kdrun.experiment.failures import NotFinite, floating, not_finite
from kdrun.experiment.lab import Lab
from kdrun.experiment.measure import finish
from kdrun.experiment.running import mode_of, settle
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
    parts = [lab.store.folder(one).result() for one in spec.made_of]
    told = {
        "teacher_signals": None,
        "epochs": max(part["epochs"] for part in parts),
        "train_seconds": sum(part["train_seconds"] for part in parts),
    }
    folder.start(spec, {})
    return finish(spec, network, lab, rows=[], told=told)
