"""Users' own classes are part of what a run is: a digest of the files that hold them."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

# Their versions are recorded with the result, and their meaning does not change under a run's feet.
LIBRARIES = frozenset({"kdrun", "torch", "torchvision"})


def digests(config: Any) -> dict[str, str]:
    """For each module that a `_target_` anywhere in a configuration names, outside of the libraries: its SHA-256.

    The digest is of the module's own file, not of what that file imports. A module that cannot be found is left
    out: making the object says so.
    """
    modules = {target.rpartition(".")[0] for target in _targets(config)}
    files = {module: _file(module) for module in sorted(modules) if module.partition(".")[0] not in LIBRARIES}
    return {module: hashlib.sha256(path.read_bytes()).hexdigest() for module, path in files.items() if path}


def _targets(config: Any) -> Iterator[str]:
    if isinstance(config, Mapping):
        if isinstance(config.get("_target_"), str):
            yield config["_target_"]
        config = config.values()
    elif not isinstance(config, list | tuple):
        return
    for value in config:
        yield from _targets(value)


def _file(module: str) -> Path | None:
    while module:
        loaded = sys.modules.get(module)
        try:
            spec = loaded.__spec__ if loaded else find_spec(module)
        except (ImportError, AttributeError, ValueError):
            spec = None
        if spec is not None:
            return Path(spec.origin) if spec.origin and Path(spec.origin).is_file() else None
        module = module.rpartition(".")[0]  # a class within a class
    return None
