"""`--dry-run`: the configuration, what it pairs and needs, and which runs the plan would train or reuse."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, replace
from typing import TYPE_CHECKING

import yaml

from kdrun.cli.choices import every_line
from kdrun.cli.laboratory import decide_for, executor_of, lab_for
from kdrun.config.schema import Config
from kdrun.plans import Plan
from kdrun.plans.build import PointConfig
from kdrun.runs.folder import RunFolder
from kdrun.runs.spec import RunSpec
from kdrun.runs.store import Store
from kdrun.runs.verify import damaged_files

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from kdrun.experiment.decide import Decision
    from kdrun.experiment.describe import Description, TermShapes
    from kdrun.experiment.lab import Lab
    from kdrun.experiment.memory import StepMemory

MIB = 2**20


def print_plan(points: Sequence[PointConfig], plan: Plan, store: Store, console: Console) -> None:
    """Prints the first point's configuration, how the other points differ, what they pair and need, and the plan.

    Raises UserError, before anything is printed, for what does not fit together.
    """
    lab = lab_for(points[0][0], store)
    descriptions, decision = _described(points[0][0], plan, lab)
    text = yaml.safe_dump(asdict(points[0][0]), sort_keys=False)
    console.print(text, highlight=False, markup=False, soft_wrap=True)
    swept = [overrides for _, overrides in points if overrides]
    if swept:
        lines = [f"{len(swept)} points:", *(f"  {overrides}" for overrides in swept)]
        console.print("\n".join([*lines, ""]), highlight=False, markup=False, soft_wrap=True)
    for description in descriptions:
        _print_description(description, console)
    _print_data(plan, lab, console)
    lines = every_line(decision)
    if lines:
        console.print("\n".join([*lines, ""]), highlight=False, markup=False, soft_wrap=True)
    states = {spec: state_of(store.folder(spec)) for spec in plan.runs}
    rows = ((spec.title, state, spec.run_id) for spec, state in states.items())
    console.print(_table(("run", "state", "folder"), rows), highlight=False)
    counts = Counter((spec.kind, state) for spec, state in states.items())
    console.print(
        "plan: " + ", ".join(f"{count} {kind} {state}" for (kind, state), count in counts.items()),
        highlight=False,
        soft_wrap=True,
    )


def state_of(folder: RunFolder) -> str:
    """new, begun (will go on), reused or damaged."""
    if damaged_files(folder):
        return "damaged"
    if folder.is_finished:
        return "reused"
    return "begun" if folder.is_started else "new"


def _described(config: Config, plan: Plan, lab: Lab) -> tuple[list[Description], Decision]:
    """What the runs pair and need, and how teachers' signals would reach those that are not finished."""
    descriptions = _descriptions(plan, lab)
    new = [spec for spec in plan.runs if not lab.store.folder(spec).is_finished]
    return descriptions, decide_for(new, lab, executor_of(config), config)


def _descriptions(plan: Plan, lab: Lab) -> list[Description]:
    """Each distinct student with its teacher; teachers alone where there is no student. Every run is tried."""
    from kdrun.experiment.describe import describe

    students = {use.spec for use in plan.uses if use.role == "student"}
    tried: dict[RunSpec, Description] = {}
    shown: dict[Description, None] = {}
    for spec in filter(lambda spec: spec.is_trained, plan.runs):
        # Runs that differ in these alone pair and need the same.
        alike = replace(spec, seed=0, data_seed=0, alpha=spec.alpha and 1.0)
        if alike not in tried:
            tried[alike] = describe(alike, lab.data(alike.dataset))
        if spec in (students or plan.runs):
            shown[tried[alike]] = None
    return list(shown)


def _print_data(plan: Plan, lab: Lab, console: Console) -> None:
    """A line for each data set: how large it is, decoded, and where it would be while networks are trained."""
    lines: dict[str, None] = {}  # runs may share a data set
    for spec in plan.runs:
        data = lab.data(spec.dataset)
        examples = sum(map(len, data.splits.parts))
        size = f"{examples:,} images, {data.splits.image_bytes / MIB:.1f} MiB decoded"
        lines[f"data {spec.dataset['name']}: {size}, {data.placement} ({lab.device})"] = None
    console.print("\n".join([*lines, ""]), highlight=False, soft_wrap=True)


def _print_description(description: Description, console: Console) -> None:
    if description.terms:
        console.print(_layers_table(description.terms))
        console.print()
    adapters = [adapter for term in description.terms for adapter in term.adapters]
    if adapters:
        rows = ((one.name, _ends(one.source, one.target), f"{one.parameters:,}") for one in adapters)
        console.print(_table(("adapter (trained with the student)", "shapes", "parameters"), rows, numbers=1))
        console.print()
    costs = ((one.role, one.name, f"{one.parameters:,}", f"{one.flops:,}") for one in description.networks)
    console.print(_table(("network", "", "parameters", "FLOPs of one example (multiply-add: 2)"), costs, numbers=2))
    console.print()
    console.print(_memory_text(description), highlight=False, soft_wrap=True)
    console.print()


def _layers_table(terms: Iterable[TermShapes]) -> Table:
    rows = []
    for term in terms:
        pairs = term.layers or [("logits", "logits")]
        rows += [(term.name if number == 0 else "", *pair) for number, pair in enumerate(pairs)]
    return _table(("knowledge", "student's layer", "teacher's layer"), rows)


def _ends(source: str, target: str) -> str:
    return f"{source} -> {target}" if source else ""


def _memory_text(description: Description) -> str:
    step = f"a training step ({description.batch_size} examples, {description.precision})"
    if isinstance(description.memory, str):
        return f"memory of {step}: not estimated, a term cannot be followed without data ({description.memory})"
    memory: StepMemory = description.memory
    parts = ", ".join(f"{name} {number / MIB:.1f}" for name, number in asdict(memory).items())
    return (
        f"memory of {step}: about {memory.total / MIB:.1f} MiB\n"
        f"  {parts}\n"
        "  estimated from shapes; activations: what the backward pass needs; without the libraries' workspaces"
    )


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]], *, numbers: int = 0) -> Table:
    """A plain table; the last `numbers` columns are set to the right."""
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="dim")
    for place, column in enumerate(columns):
        right = place >= len(columns) - numbers
        table.add_column(column, justify="right" if right else "left", overflow="fold")
    for row in rows:
        table.add_row(*map(escape, row))
    return table
