"""A user's own sources, which nobody loads: `dataset.source._target_: my_sources.Counted`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from kdrun.data import RawData


@dataclass(frozen=True)
class Undeclared:
    """A user's source that says nothing of places, and has a number called `examples`."""

    files: Any
    examples: int = 7

    def identity(self, data_root: Path) -> Mapping[str, str | int]:
        return {}

    def load(self, data_root: Path) -> RawData:
        raise AssertionError("not to be loaded")


@dataclass(frozen=True)
class Declared(Undeclared):
    places: ClassVar[tuple[str, ...]] = ("files",)

    def identity(self, data_root: Path) -> Mapping[str, str | int]:
        return {"bytes": (data_root / self.files).stat().st_size}


@dataclass(frozen=True)
class Counted:
    total: int

    def identity(self, data_root: Path) -> Mapping[str, str | int]:
        return {}

    def examples(self, data_root: Path) -> int:
        return self.total

    def load(self, data_root: Path) -> RawData:
        raise AssertionError("not to be loaded")
