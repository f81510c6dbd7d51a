"""What a bench found, as tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console

Measured = Mapping[str, Any]


def print_measured(measured: Measured, console: Console) -> None:
    """Prints what `bench_step`, `bench_sweep`, `bench_startup` or `bench_scaling` gave."""
    _TABLES[measured["bench"]](measured, console)


def _step(measured: Measured, console: Console) -> None:
    knowledge = "+".join(measured["knowledge"]) or "labels alone"
    console.print(f"{_pair(measured)}, {knowledge}\n{_setting(measured)}\n", highlight=False)
    rows = [
        (name, f"{one['wall_ms']['median']:.3f}", f"{one['cpu_ms']['median']:.3f}", f"{one['images_a_second']:,.0f}")
        for name, one in measured["loops"].items()
    ]
    _print_table(("a step", "wall ms", "CPU ms", "images/s"), rows, console)
    ratios = [(name, _spread(one["wall"]), _spread(one["cpu"])) for name, one in measured["ratios"].items()]
    _print_table(("ratio, median [least, greatest]", "wall", "CPU"), ratios, console)
    parts = measured["breakdown_ms"]
    whole = sum(parts.values())
    shares = [(name, f"{value:.3f}", f"{100 * value / whole:.1f} %") for name, value in parts.items()]
    _print_table(("kdrun's step, timed from inside", "wall ms", "share"), shares, console)
    work = measured["work"]
    console.print(
        f"{work['step_flops'] / 1e6:,.1f} MFLOPs a step: "
        f"{work['flops_a_second'] / 1e9:,.1f} GFLOP/s, {100 * work['share_of_matmul']:.1f} % of the "
        f"{work['matmul_flops_a_second'] / 1e9:,.1f} of a large matrix product",
        highlight=False,
    )
    if not measured["others_compute_the_same"]:
        console.print("The other loops compute labels and softened logits only, not this knowledge.", highlight=False)


def _sweep(measured: Measured, console: Console) -> None:
    console.print(
        f"{measured['k']} times {_pair(measured)}, one tau each\n{_setting(measured)}\n",
        highlight=False,
    )
    rows = [
        (clock, f"{one['together_ms']:.3f}", f"{one['alone_ms']:.3f}", _spread(one["share"]))
        for clock, one in ((clock, measured[clock]) for clock in ("wall", "cpu"))
    ]
    _print_table(("a step of all", "together ms", "each alone, sum ms", "share"), rows, console)


def _startup(measured: Measured, console: Console) -> None:
    rows = [(name, _spread(one["seconds"]), _spread(one["cpu_seconds"])) for name, one in measured["commands"].items()]
    _print_table((f"cold start, {_rounds(measured)}, median [least, greatest]", "wall s", "CPU s"), rows, console)
    stages = measured["stages_s"]
    whole = sum(stages.values())
    shares = [(name, f"{value:.2f}", f"{100 * value / whole:.0f} %") for name, value in stages.items()]
    _print_table(("the one-epoch distill", "wall s", "share"), shares, console)
    console.print(
        f"calls of compose in a sweep of {measured['sweep_points']} points: {measured['sweep_composes']}",
        highlight=False,
    )


def _scaling(measured: Measured, console: Console) -> None:
    rows = [
        (
            f"{one['factor']} x {one['axis']}",
            f"{one['students_s']:.2f}",
            f"{one['students_ratio']:.2f}",
            f"{one['command_s']:.2f}",
            f"{one['peak_bytes'] / 2**20:,.0f}",
        )
        for one in measured["runs"]
    ]
    columns = ("a sweep of", "students' s", "over 1 x", "command s", "peak MiB")
    _print_table(columns, rows, console)


_TABLES = {"step": _step, "sweep": _sweep, "startup": _startup, "scaling": _scaling}


def _pair(measured: Measured) -> str:
    taught = f" under {measured['teacher']}" if measured["teacher"] else ""
    return f"{measured['student']}{taught} on {measured['dataset']}"


def _setting(measured: Measured) -> str:
    environment = measured["environment"]
    threads = f"{environment['threads']} thread{'s' if environment['threads'] > 1 else ''}"
    batch = f"batch {measured['batch_size']}, {measured['precision']}"
    return f"{batch}, {environment['device']}, {threads}, {_rounds(measured)}"


def _rounds(measured: Measured) -> str:
    return f"{measured['rounds']} round{'s' if measured['rounds'] > 1 else ''}"


def _spread(spread: Mapping[str, float]) -> str:
    return f"{spread['median']:.3f} [{spread['least']:.3f}, {spread['greatest']:.3f}]"


def _print_table(columns: Sequence[str], rows: Iterable[Sequence[str]], console: Console) -> None:
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="dim")
    for number, column in enumerate(columns):
        table.add_column(escape(column), justify="right" if number else "left")
    for row in rows:
        table.add_row(*map(escape, row))
    console.print(table)
    console.print()
