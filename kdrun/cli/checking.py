"""Chooses knowledge terms, checks them, and prints what was found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kdrun.cli.console import result_console
from kdrun.config.compose import Composer
from kdrun.config.explain import unknown_option
from kdrun.config.grid import one_point
from kdrun.experiment.build import terms_of

if TYPE_CHECKING:
    from rich.console import Console

    from kdrun.knowledge import Knowledge
    from kdrun.knowledge.conformance import Check
    from kdrun.signals import Pair

Terms = Mapping[str, Mapping[str, Any]]

_STATES = {True: "[green]pass[/]", False: "[red]FAIL[/]", None: "[dim]does not apply[/]"}


def chosen_terms(name: str | None, overrides: Sequence[str], config_dirs: Sequence[Path]) -> Terms:
    """The composed configuration of the term with this name; of every term where there is none.

    Raises UserError for an unknown name, and as composition does.
    """
    composer = Composer(config_dirs)
    known = composer.groups["knowledge"]
    if name is not None and name not in known:
        raise unknown_option("knowledge", name, known)
    named = any(override.startswith("knowledge=") for override in overrides)
    choice = [] if named and name is None else [f"knowledge=[{name or ','.join(known)}]"]
    terms: Terms = composer.config(one_point([*choice, *overrides], composer.groups, "check-knowledge")).knowledge
    return terms


def print_checks(terms: Terms) -> bool:
    """Checks the terms, prints a table for each, or a line for each of many; says whether all of them passed.

    Raises UserError where a term cannot be made at all.
    """
    from kdrun.knowledge.conformance import check_knowledge

    console = result_console()
    failed = []
    for name, config in terms.items():
        checks = check_knowledge(_maker(name, config))
        bad = [check for check in checks if check.passed is False]
        if len(terms) == 1:
            _print_table(checks, console)
        else:
            _print_line(name, checks, console)
            if bad:
                _print_table(bad, console)
        failed += [name] if bad else []
    console.print(_verdict(terms, failed), highlight=False)
    return not failed


def _maker(name: str, config: Mapping[str, Any]) -> Any:
    def make(pair: Pair) -> Knowledge:
        return terms_of({name: config}, pair)[name].knowledge

    return make


def _print_table(checks: Sequence[Check], console: Console) -> None:
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="dim")
    for column in ("property", "", "detail"):
        table.add_column(column, overflow="fold")
    for check in checks:
        table.add_row(check.name, _STATES[check.passed], escape(check.detail))
    console.print(table)


def _print_line(name: str, checks: Sequence[Check], console: Console) -> None:
    counts = {state: sum(check.passed is state for check in checks) for state in (True, False, None)}
    told = ", ".join(f"{count} {_STATES[state]}" for state, count in counts.items() if count)
    console.print(f"{name:<14} {told}", highlight=False)


def _verdict(terms: Terms, failed: Sequence[str]) -> str:
    if failed:
        return f"\nnot to be trusted yet: {', '.join(failed)}"
    return f"\n{', '.join(terms) if len(terms) < 4 else f'all {len(terms)} terms'}: every property that applies holds"
