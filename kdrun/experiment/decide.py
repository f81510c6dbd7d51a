"""Whether what teachers say is kept for the runs of a plan, and how: decided on the whole of it, before any trains.

A run asks its teacher about every example of every epoch, and runs that train side by side share that. A table asks
about every example in every view once; a schedule asks about every step of every stream of batches once, however many
groups of runs pass there. `auto` takes whichever of the two asks least, if that at least halves the teacher's forward
passes and fits; what was kept before costs nothing. Layers beside the logits are kept only where all of them fit;
where they do not, groups of runs that read logits alone are decided on again without the others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from kdrun.config.schema import Cache as Wish
from kdrun.experiment.cache_costs import Cost, Costs, Passage, Sizes, sizes_of
from kdrun.experiment.caching import Caching, Kind, folder_name, megabytes, no_room, teacher_title
from kdrun.experiment.lab import Lab
from kdrun.runs.cache import Cache
from kdrun.runs.spec import RunSpec

WORTH = 0.5  # of the forward passes of a live teacher: a cache that needs more is not made


@dataclass(frozen=True)
class Choice:
    """How one teacher's signals reach runs, for people. new_bytes: to be written for it. why: in words."""

    kind: Kind
    teacher: str
    data: str
    extent: str
    new_bytes: int
    why: str
    is_short_of_room: bool = False


@dataclass(frozen=True)
class Decision:
    """What was decided, and for people what and why, a line for each teacher on each part of the data."""

    caching: Caching
    choices: tuple[Choice, ...]


def decide(groups: Sequence[Sequence[RunSpec]], lab: Lab, wish: Wish, device: str) -> Decision:
    """Chooses a kind for every run that has a teacher.

    groups: the runs that are not finished, as they would train side by side.
    wish: what the configuration says of the cache. device: the kind of it, cpu or cuda.
    Raises UserError where what is asked for, or what a run that was begun needs, does not fit.
    """
    chooser = _Chooser(lab, wish, device, room=Cache(lab.store.outputs).room(wish.max_bytes))
    by_table: dict[str, list[list[RunSpec]]] = {}
    for group in groups:
        for name in dict.fromkeys(folder_name("table", spec, device) for spec in group if spec.calls_teacher):
            of_this = [spec for spec in group if spec.calls_teacher and folder_name("table", spec, device) == name]
            by_table.setdefault(name, []).append(of_this)
    for of_one in by_table.values():
        chooser.choose(of_one)
    return Decision(Caching(chooser.kinds, wish.max_bytes), tuple(chooser.choices))


class _Chooser:
    """Chooses for one teacher after the other; what one takes of the room, the next does not have."""

    def __init__(self, lab: Lab, wish: Wish, device: str, *, room: int) -> None:
        self.kinds: dict[str, Kind] = {}
        self.choices: list[Choice] = []
        self._lab, self._wish, self._device, self._room = lab, wish, device, room
        self._sizes: dict[str, Sizes | None] = {}

    def choose(self, groups: Sequence[Sequence[RunSpec]]) -> None:
        """groups: of runs that could read one table."""
        passages = self._passages(groups, lambda spec: not self._is_begun(spec) and not spec.targets)
        begun = self._passages(groups, self._goes_on_with_a_table)
        promised = self._promise(begun) if begun else ()
        # A substitute made from a teacher asks for less than a run does, or for single classes: a table may serve it.
        if passages:
            kind = self._decide(passages, promised)
            rest = [spec for group in groups for spec in group if spec.targets or self._is_begun(spec)]
            self.kinds |= {spec.fingerprint: kind for spec in rest if kind != "schedule" or not spec.targets}

    def _decide(self, passages: Sequence[Passage], promised: Iterable[str]) -> Kind:
        """Takes the kind that suits these passages, and says so."""
        costs = Costs(passages, self._lab, self._device, promised)
        live, kept = costs.live(), [costs.schedule(), costs.table()]
        if self._wish.kind != "auto":
            return self._take(self._asked_for(passages, live, kept), passages, "asked for")
        worth = [cost for cost in kept if cost.asked <= WORTH * live.asked]
        best = min((cost for cost in worth if cost.new_bytes <= self._room), key=lambda cost: cost.asked, default=None)
        if best is not None:
            return self._take(best, passages, f"{best.asked:,} forward passes in place of {live.asked:,}")
        if not worth:
            why = f"to keep what it says would spare less than half of {live.asked:,} forward passes"
            return self._take(live, passages, why)
        alone = [one for one in passages if not one.reads_features]
        if alone == list(passages) or not alone:
            return self._take(live, passages, self._no_room(worth), short=True)
        self._take(live, [one for one in passages if one.reads_features], self._no_room(worth), short=True)
        return self._decide(alone, promised)

    def _asked_for(self, passages: Sequence[Passage], live: Cost, kept: Sequence[Cost]) -> Cost:
        """The cost of the kind that the configuration names."""
        cost = next((cost for cost in kept if cost.kind == self._wish.kind), live)
        if cost.new_bytes > self._room:
            raise self._does_not_fit(cost, passages)
        return cost

    def _promise(self, begun: Sequence[Passage]) -> Sequence[str]:
        """Makes sure that runs find the table that they began with; returns the signals that it will hold."""
        cost = Costs(begun, self._lab, self._device).table()
        if cost.new_bytes > self._room:
            raise self._does_not_fit(cost, begun)
        self._take(cost, begun, "runs that began with it go on with it")
        return [name for one in begun for name in one.sizes]

    def _take(self, cost: Cost, passages: Sequence[Passage], why: str, *, short: bool = False) -> Kind:
        self.kinds |= {spec.fingerprint: cost.kind for one in passages for spec in one.specs}
        self._room -= cost.new_bytes
        spec = passages[0].specs[0]
        teacher, data = teacher_title(spec), spec.dataset["name"]
        self.choices.append(Choice(cost.kind, teacher, data, cost.extent, cost.new_bytes, why, short))
        return cost.kind

    def _does_not_fit(self, cost: Cost, passages: Sequence[Passage]) -> Exception:
        teacher = teacher_title(passages[0].specs[0])
        return no_room(cost.kind, f"{teacher}: {cost.extent}", cost.new_bytes, self._room, self._wish.max_bytes)

    def _no_room(self, kept: Sequence[Cost]) -> str:
        needs = " and ".join(f"a {cost.kind} needs {megabytes(cost.new_bytes)}" for cost in kept)
        return f"{needs}, there is room for {megabytes(max(0, self._room))} (cache.max_bytes, or the disk)"

    def _passages(self, groups: Sequence[Sequence[RunSpec]], is_meant: Callable[[RunSpec], bool]) -> list[Passage]:
        passages = []
        for group in groups:
            meant = {spec: sizes for spec in group if is_meant(spec) and (sizes := self._sizes_of(spec)) is not None}
            if meant:
                every = {name: size for sizes in meant.values() for name, size in sizes.items()}
                passages.append(Passage(tuple(meant), every))
        return passages

    def _sizes_of(self, spec: RunSpec) -> Sizes | None:
        alike = replace(spec, seed=0, data_seed=0).fingerprint
        if alike not in self._sizes:
            self._sizes[alike] = sizes_of(spec, self._lab.data(spec.dataset))
        return self._sizes[alike]

    def _is_begun(self, spec: RunSpec) -> bool:
        return self._lab.store.folder(spec).is_started

    def _goes_on_with_a_table(self, spec: RunSpec) -> bool:
        return self._is_begun(spec) and self._lab.teacher_signals(spec) == "table"
