"""No tracker."""

from __future__ import annotations

from collections.abc import Mapping

from kdrun.runs.spec import RunSpec


class Nowhere:
    """Shows nothing: rows go to CSV alone."""

    def begin(self, spec: RunSpec, epoch: int) -> None:
        pass

    def row(self, spec: RunSpec, epoch: int, numbers: Mapping[str, float]) -> None:
        pass

    def end(self, spec: RunSpec, numbers: Mapping[str, float] | None) -> None:
        pass

    def close(self) -> None:
        pass
