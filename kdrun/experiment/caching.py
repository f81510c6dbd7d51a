"""How a teacher's signals reach the runs that it teaches, and what identifies what is kept of them. Light to import."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from kdrun.errors import UserError
from kdrun.runs.identity import digest
from kdrun.runs.spec import RunSpec

Kind = Literal["live", "schedule", "table"]


@dataclass(frozen=True)
class Caching:
    """What was decided for the runs of a plan.

    kinds: by fingerprint; runs that are not in it ask their teacher live. max_bytes: of the whole cache.
    """

    kinds: Mapping[str, Kind] = field(default_factory=dict)
    max_bytes: int = 0

    def kind_of(self, spec: RunSpec, began: str | None) -> Kind | None:
        """How signals reach a run; None without a teacher.

        began: the kind it began with, None for a run that is to begin. It goes on with equal numbers: those of a
        table are equal to the teacher's own up to rounding only, those of a schedule bit for bit.
        """
        if not spec.calls_teacher:
            return None
        decided = self.kinds.get(spec.fingerprint, "live")
        if began == "table":
            return "table"
        return "live" if began is not None and decided == "table" else decided


def about(kind: Kind, spec: RunSpec, device: str) -> dict[str, Any]:
    """What is written beside a table or a schedule of a run's teacher. device: the kind of it, cpu or cuda."""
    title = teacher_title(spec).removeprefix("teacher ")
    return {"kind": kind, "teacher": title, "data": spec.dataset["name"], **_identity(kind, spec, device)}


def folder_name(kind: Kind, spec: RunSpec, device: str) -> str:
    """The name of the folder that holds it: kind, teacher's network, data set, digest."""
    name = f"{kind}-{_teacher(spec).model['name']}-{spec.dataset['name']}"
    return f"{name}-{digest(_identity(kind, spec, device))}"


def _identity(kind: Kind, spec: RunSpec, device: str) -> dict[str, Any]:
    """All that decides the teacher's outputs in a table or a schedule."""
    recipe = spec.identity["recipe"]
    of_a_stream = {"data_seed": spec.data_seed, "order_seed": spec.order_seed, "batch_size": recipe["batch_size"]}
    of_the_run = {key: spec.identity.get(key) for key in ("dataset", "train_size", "examples", "precision")}
    return {
        "kind": kind,
        "teacher_fingerprint": _teacher(spec).fingerprint,
        **of_the_run,
        "augment": recipe["augment"],
        "dtype": spec.teacher_dtype,
        "device": device,
        **(of_a_stream if kind == "schedule" else {}),
    }


def teacher_title(spec: RunSpec) -> str:
    """What the teacher of a run that has one is called."""
    return _teacher(spec).title


def _teacher(spec: RunSpec) -> RunSpec:
    if spec.teacher is None:
        raise TypeError(f"{spec.title} has no teacher")
    return spec.teacher


def megabytes(count: int) -> str:
    """Bytes as people read them: `12.3 MB`."""
    return f"{count / 1e6:,.1f} MB" if count >= 1e5 else f"{count / 1e3:,.1f} kB"


def no_room(kind: Kind, what: str, needed: int, room: int, max_bytes: int) -> UserError:
    """The one line for what does not fit. room: bytes that may still be written."""
    return UserError(
        f"a {kind} of {what} needs {megabytes(needed)} more in the cache, and there is room for "
        f"{megabytes(max(room, 0))} (cache.max_bytes={max_bytes}, or the disk): type "
        f"cache.max_bytes={max_bytes + needed - room}, cache=auto, or `kdrun cache clear`"
    )
