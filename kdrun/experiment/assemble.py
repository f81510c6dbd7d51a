"""Runs that train nothing: their networks are put together from their parents'."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kdrun.experiment.lab import Lab
from kdrun.experiment.measure import finish
from kdrun.experiment.running import mode_of, settle
from kdrun.runs.spec import RunSpec


def assemble(spec: RunSpec, lab: Lab) -> Mapping[str, Any]:
    """Puts a network together, evaluates it, and writes what stays; returns its result.

    It has taken as many epochs as the longest of its parents, and the seconds of all of them.
    """
    folder = lab.store.folder(spec)
    network = mode_of(spec, lab).student.to(lab.device)
    settle(spec, network, lab)
    parents = [lab.store.folder(parent).result() for parent in spec.parents]
    told = {
        "teacher_signals": None,
        "epochs": max(parent["epochs"] for parent in parents),
        "train_seconds": sum(parent["train_seconds"] for parent in parents),
    }
    folder.start(spec, {})
    return finish(spec, network, lab, rows=[], told=told)
