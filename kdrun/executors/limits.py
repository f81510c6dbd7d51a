"""How many runs may train side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from kdrun.executors.groups import cut, groups
from kdrun.experiment.lab import Lab
from kdrun.experiment.memory import training_bytes
from kdrun.machine import available_bytes
from kdrun.runs.spec import RunSpec


@dataclass(frozen=True)
class Limits:
    """Bounds of a group.

    max_group: the most runs, at least 1.
    memory_share: in (0, 1], the part of the memory that is available which they may take (`training_bytes`); a single
        run may take more.
    """

    max_group: int
    memory_share: float

    def groups(self, specs: Sequence[RunSpec], lab: Lab) -> list[list[RunSpec]]:
        """The runs in groups that can train side by side, and that fit."""
        room = int(self.memory_share * available_bytes(lab.device))
        return [
            piece
            for group in groups(specs, lab.teacher_signals)
            for piece in cut(group, most=self.max_group, room=room, size_of=lambda spec: training_bytes(spec, lab))
        ]
