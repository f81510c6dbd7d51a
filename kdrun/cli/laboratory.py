"""The lab that a configuration asks for."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from kdrun.config.schema import Config
from kdrun.runs.store import Store

if TYPE_CHECKING:
    from kdrun.experiment.lab import Lab


def lab_for(config: Config, store: Store) -> Lab:
    """Raises UserError for a device that is not here."""
    from kdrun.data import Room
    from kdrun.experiment.lab import Lab
    from kdrun.machine import spare_cpus
    from kdrun.training.precision import choose_device

    workers = spare_cpus() if config.loader_workers is None else config.loader_workers
    room = Room(config.data_memory_share, workers)
    return Lab(store, choose_device(config.device), Path(config.data_root), room)
