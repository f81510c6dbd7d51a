"""What a configuration asks for: the lab, the executor, and how teachers' signals reach the runs."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kdrun.config.schema import Config
from kdrun.errors import UserError
from kdrun.experiment.build import make
from kdrun.runs.spec import RunSpec
from kdrun.runs.store import Store

if TYPE_CHECKING:
    from kdrun.executors import Executor
    from kdrun.experiment.decide import Decision
    from kdrun.experiment.lab import Lab

# What torch.compile calls on a CPU.
_COMPILER = os.environ.get("CXX", "clang++" if sys.platform == "darwin" else "g++")


def lab_for(config: Config, store: Store) -> Lab:
    """Raises UserError for a device that is not here, or cannot do what is asked of it."""
    from kdrun.data import Room
    from kdrun.experiment.lab import Lab
    from kdrun.machine import spare_cpus
    from kdrun.training.compiling import Compiling
    from kdrun.training.precision import choose_device

    device = choose_device(config.device)
    if config.cuda_graphs and device.type != "cuda":
        raise UserError(f"cuda_graphs=true needs a CUDA device, got {device}; leave it out")
    if config.compile and device.type == "cpu" and shutil.which(_COMPILER) is None:
        raise UserError(f"compile=true needs a C++ compiler, and {_COMPILER} is not here; name another in CXX")
    workers = spare_cpus() if config.loader_workers is None else config.loader_workers
    room = Room(config.data_memory_share, workers)
    compiling = Compiling(config.compile, config.cuda_graphs)
    return Lab(store, device, Path(config.data_root), room=room, compiling=compiling)


def executor_of(config: Config) -> Executor:
    """How the runs of a command are carried out."""
    executor: Executor = named(config.executor)
    return executor


def named(choice: Mapping[str, Any]) -> Any:
    """The object that a file of conf/executor or conf/tracker names."""
    return make({key: value for key, value in choice.items() if key != "name"})


def decide_for(new: Sequence[RunSpec], lab: Lab, executor: Executor, config: Config) -> Decision:
    """How teachers' signals reach unfinished runs. Raises UserError where what was asked for does not fit."""
    from kdrun.experiment.decide import decide

    return decide(executor.groups(new, lab), lab, config.cache, lab.device.type)
