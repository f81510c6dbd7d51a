"""`--dry-run`: the composed configuration, and which runs the plan would train or reuse."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

import yaml

from kdrun.plans import Plan
from kdrun.plans.build import PointConfig
from kdrun.runs.folder import RunFolder
from kdrun.runs.store import Store

if TYPE_CHECKING:
    from rich.console import Console


def print_plan(points: Sequence[PointConfig], plan: Plan, store: Store, console: Console) -> None:
    """Prints the first point's configuration, how the other points differ, and the plan."""
    from rich.table import Table

    text = yaml.safe_dump(asdict(points[0][0]), sort_keys=False)
    console.print(text, highlight=False, markup=False, soft_wrap=True)
    swept = [overrides for _, overrides in points if overrides]
    if swept:
        lines = [f"{len(swept)} points:", *(f"  {overrides}" for overrides in swept)]
        console.print("\n".join([*lines, ""]), highlight=False, markup=False, soft_wrap=True)
    table = Table(box=None, pad_edge=False, header_style="dim")
    for column in ("run", "state", "folder"):
        table.add_column(column, overflow="fold")
    states = {spec: state_of(store.folder(spec)) for spec in plan.runs}
    for spec, state in states.items():
        table.add_row(spec.title, state, spec.run_id)
    console.print(table, highlight=False)
    counts = Counter((spec.kind, state) for spec, state in states.items())
    console.print(
        "plan: " + ", ".join(f"{count} {kind} {state}" for (kind, state), count in counts.items()),
        highlight=False,
        soft_wrap=True,
    )


def state_of(folder: RunFolder) -> str:
    """new, begun (will go on) or reused."""
    if folder.is_finished:
        return "reused"
    return "begun" if folder.is_started else "new"
