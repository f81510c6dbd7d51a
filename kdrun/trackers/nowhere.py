"""No tracker."""

from __future__ import annotations

from collections.abc import Mapping

from kdrun.runs.spec import RunSpec
from kdrun.trackers import Numbers


class Nowhere:
    """Shows nothing: rows go to CSV alone."""

    def is_complete(self, spec: RunSpec) -> bool:
        return True

    def begin(self, spec: RunSpec, rows: Mapping[int, Numbers]) -> None:
        pass

    def row(self, spec: RunSpec, epoch: int, numbers: Numbers) -> None:
        pass

    def end(self, spec: RunSpec, numbers: Numbers | None) -> None:
        pass

    def close(self) -> None:
        pass
