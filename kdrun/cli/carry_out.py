"""What the training commands share: plan, train what is new, report."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

import click

from kdrun.cli.choices import what_is_made
from kdrun.cli.console import progress_console, result_console
from kdrun.cli.dry_run import print_plan
from kdrun.cli.laboratory import decide_for, executor_of, lab_for
from kdrun.cli.progress import progress_for
from kdrun.cli.saved import command_line
from kdrun.config.schema import Config
from kdrun.errors import RunFailed, UserError
from kdrun.plans import Plan
from kdrun.plans.build import PointConfig, comparison_plan, teacher_plan
from kdrun.plans.record import write_record
from kdrun.runs.spec import RunSpec
from kdrun.runs.store import Store

if TYPE_CHECKING:
    pass


def compare(
    command: str,
    points: Sequence[PointConfig],
    *,
    overrides: Sequence[str],
    experiment: str | None,
    config_dir: Sequence[Path],
    dry_run: bool,
    retrain_damaged: bool,
    quiet: bool,
    **_: Any,
) -> None:
    """`distill` and `sweep`: train what is new, write the report, print it."""
    config, plan = points[0][0], comparison_plan(points)
    store = Store(Path(config.outputs))
    if dry_run:
        print_plan(points, plan, store, result_console())
        return
    failures = _carry_out(plan, config, store, retrain_damaged=retrain_damaged, quiet=quiet)
    folder = write_record(plan, store, command, command_line(command, experiment, config_dir, overrides))
    store.write_results()
    if any(use.role == "student" and store.folder(use.spec).is_finished for use in plan.uses):
        from kdrun.cli.reporting import show

        show(folder, result_console())
    _raise_first(failures)


def teach(points: Sequence[PointConfig], *, dry_run: bool, retrain_damaged: bool, quiet: bool, **_: Any) -> None:
    """`train-teacher`: train it unless it is there, and say how good it is and where it lies."""
    config, plan = points[0][0], teacher_plan(points)
    store = Store(Path(config.outputs))
    if dry_run:
        print_plan(points, plan, store, result_console())
        return
    failures = _carry_out(plan, config, store, retrain_damaged=retrain_damaged, quiet=quiet)
    store.write_results()
    _raise_first(failures)
    folder = store.folder(plan.runs[0])
    result = folder.result()
    errors = round((1 - result["test_accuracy"]) * result["test_examples"])
    click.echo(
        f"teacher {result['model']} on {result['dataset']}: test accuracy {100 * result['test_accuracy']:.2f} % "
        f"({errors} errors of {result['test_examples']:,}), trained on {result['train_examples']:,} examples, "
        f"{result['parameters']:,} parameters"
    )
    click.echo(f"{folder.path}/")


def _carry_out(plan: Plan, config: Config, store: Store, *, retrain_damaged: bool, quiet: bool) -> list[str]:
    """Trains the runs that are not finished; returns a line for each that could not be."""
    new = unfinished(plan, store, retrain_damaged=retrain_damaged)
    if not new:
        return []
    from kdrun.experiment.train import Interrupted, preflight

    lab = lab_for(config, store)
    preflight(new, lab)
    executor = executor_of(config)
    decision = decide_for(new, lab, executor, config)
    lab.caching = decision.caching
    store.check_writable()
    for line in () if quiet else what_is_made(decision):
        click.echo(line, err=True)
    with _asked_to_stop() as stop, progress_for(progress_console(), len(new), quiet=quiet) as progress:
        try:
            failures = executor.execute(new, lab, progress, stop=stop)
        except Interrupted:
            raise click.Abort from None
    return failures


def _raise_first(failures: Sequence[str]) -> None:
    """RunFailed with the first failure, where there is any; progress has shown each of them."""
    if failures:
        raise RunFailed(failures[0] + (f" ({len(failures) - 1} more failed)" if len(failures) > 1 else ""))


def unfinished(plan: Plan, store: Store, *, retrain_damaged: bool) -> list[RunSpec]:
    """The runs of a plan that are not finished.

    retrain_damaged: renames the folders of runs whose files are damaged, so that they count as not finished;
        otherwise such a run raises UserError.
    """
    new = []
    for spec in plan.runs:
        folder = store.folder(spec)
        try:
            if folder.is_finished:
                folder.check(thorough=retrain_damaged)
            else:
                folder.load_state()
        except UserError:
            if not retrain_damaged:
                raise
            click.echo(f"set aside as {folder.set_aside()}", err=True)
        if not folder.is_finished:
            new.append(spec)
    return new


@contextmanager
def _asked_to_stop() -> Iterator[Callable[[], bool]]:
    """Gives a function that says whether Ctrl-C or a wish to end has come; the second one ends the process at once."""
    asked: list[int] = []

    def ask(number: int, _frame: FrameType | None) -> None:
        if asked:
            raise KeyboardInterrupt
        asked.append(number)
        click.echo("\nStopping after this step; the same command goes on from there.", err=True)

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: bool(asked)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
