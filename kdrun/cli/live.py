"""Progress on a terminal: one display for the whole plan."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from kdrun.cli import words

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

    from kdrun.cli.tally import Tally
    from kdrun.experiment.train import Rows
    from kdrun.runs.spec import RunSpec
    from kdrun.training.learner import Position

REFRESHES_PER_S = 4
WIDEST = 80
MOST_GROUPS = 12  # lines; of more groups at once the rest is counted


class Live:
    """How far the plan is, how long it may still take, and a line for each group of runs in training.

    The display is drawn by a thread of its own, from values that are replaced whole.

    tally: has been told whatever this is told.
    """

    def __init__(self, console: Console, tally: Tally) -> None:
        from rich.live import Live as Screen

        self._console, self._tally = console, tally
        self._groups: dict[RunSpec, _Group] = {}  # of the runs in training
        self._shown: tuple[_Group, ...] = ()
        self._filling = ""
        self._screen = Screen(
            console=console, get_renderable=self.rendered, refresh_per_second=REFRESHES_PER_S, transient=True
        )

    def __enter__(self) -> Self:
        self._screen.start(refresh=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._screen.stop()

    def started(self, specs: Sequence[RunSpec], epochs: int, done: Position) -> None:
        # Where one of a group begins again, an error or the end of its process ended the attempt of all of it.
        over = {id(self._groups[spec]) for spec in specs if spec in self._groups}
        self._show([spec for spec, group in self._groups.items() if id(group) in over], None)
        self._show(specs, _Group(words.title(specs), f"{done.epoch}/{epochs}" if epochs else words.NO_EPOCHS, "", ""))

    def epoch(self, rows: Rows) -> None:
        spec, row = next(iter(rows.items()))
        epochs = self._groups[spec].epoch.partition("/")[2]
        losses = words.spread(words.losses(rows), "{:.3f}", "–")
        accuracies = words.accuracies(rows)
        accuracy = words.spread(accuracies, "{:.2f}", "–") if accuracies else ""
        self._show(list(rows), _Group(words.title(list(rows)), f"{row['epoch']}/{epochs}", losses, accuracy))

    def finished(self, spec: RunSpec, result: Mapping[str, Any]) -> None:
        self._show([spec], None)

    def failed(self, spec: RunSpec, reason: str) -> None:
        self._show([spec], None)
        self.remarked(reason)

    def filling(self, done: int, total: int) -> None:
        self._filling = f"asking the teacher beforehand: {done:,}/{total:,}" if done < total else ""

    def remarked(self, line: str) -> None:
        self._console.print(line, highlight=False, markup=False, soft_wrap=True)

    def _show(self, specs: Sequence[RunSpec], group: _Group | None) -> None:
        for spec in specs:
            self._groups.pop(spec, None)
            if group is not None:
                self._groups[spec] = group
        self._shown = tuple({id(one): one for one in self._groups.values()}.values())

    def rendered(self) -> RenderableType:
        """The display as it is now."""
        from rich.console import Group
        from rich.text import Text

        filling = [Text(self._filling, no_wrap=True, overflow="ellipsis")] if self._filling else []
        return Group(self._bar(), self._counts(), *([_table(self._shown)] if self._shown else []), *filling)

    def _bar(self) -> RenderableType:
        from rich.progress_bar import ProgressBar
        from rich.table import Table

        share = self._tally.standing.share
        line = Table.grid(padding=(0, 2, 0, 0))
        line.width = min(WIDEST, self._console.width)
        line.add_column(ratio=1)
        line.add_column(justify="right", no_wrap=True)
        line.add_column(no_wrap=True)
        line.add_row(
            ProgressBar(total=1.0, completed=share), f"{100 * share:.0f} %", words.time_left(self._tally.seconds_left())
        )
        return line

    def _counts(self) -> RenderableType:
        from rich.text import Text

        standing = self._tally.standing
        counts = {"done": standing.done, "running": standing.running, "left": standing.left}
        if standing.failed:
            counts["failed"] = standing.failed
        told = ", ".join(f"{number} {state}" for state, number in counts.items())
        return Text(f"{self._tally.total} run{'' if self._tally.total == 1 else 's'}: {told}", style="bold")


class _Group(NamedTuple):
    """The cells of a line."""

    title: str
    epoch: str
    loss: str
    accuracy: str


def _table(groups: Sequence[_Group]) -> RenderableType:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    table.add_column("in training", overflow="ellipsis")
    table.add_column("epoch", justify="right", no_wrap=True)
    table.add_column("loss", no_wrap=True)
    table.add_column("validation %", no_wrap=True)
    for title, *cells in groups[:MOST_GROUPS]:
        table.add_row(Text(title, no_wrap=True, overflow="ellipsis"), *cells)
    if len(groups) > MOST_GROUPS:
        table.add_row(f"and {len(groups) - MOST_GROUPS} more")
    return table
