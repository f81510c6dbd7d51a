"""What is left of a plan while it is carried out, and which part of it can begin."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from kdrun.experiment.train import Observer
from kdrun.runs.spec import RunSpec
from kdrun.runs.store import Store


class Agenda:
    """The runs of a plan, parents first, until each is finished or could not be.

    observer: is told of runs that cannot even begin.
    failures: a line for each run that could not be finished.
    """

    def __init__(self, specs: Sequence[RunSpec], store: Store, observer: Observer) -> None:
        self.failures: dict[RunSpec, str] = {}
        self._left = list(specs)
        self._store = store
        self._observer = observer

    def left(self) -> list[RunSpec]:
        """The runs that are neither finished, by whichever process, nor failed."""
        for spec in self._left:
            if any(parent in self.failures for parent in spec.parents):
                missing = "its teacher" if spec.is_trained else "what it is made of"
                self.failures[spec] = f"{spec.title}: not trained, because {missing} could not be"
                self._observer.failed(spec, self.failures[spec])
        self._left = [spec for spec in self._left if spec not in self.failures and not self._is_finished(spec)]
        return self._left

    def ready(self) -> list[RunSpec]:
        """Those that are left and whose parents are finished."""
        return [spec for spec in self.left() if all(map(self._is_finished, spec.parents))]

    def failed(self, failures: Mapping[RunSpec, str]) -> None:
        self.failures.update(failures)

    def _is_finished(self, spec: RunSpec) -> bool:
        return self._store.folder(spec).is_finished
