"""What the training commands share: plan, train what is new, report."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

import click

from kdrun.cli.choices import what_is_kept
from kdrun.cli.console import result_console
from kdrun.cli.dry_run import print_plan
from kdrun.cli.laboratory import decide_for, executor_of, lab_for, named
from kdrun.cli.output import Output, output_for
from kdrun.cli.saved import command_line
from kdrun.cli.tally import Length, Tally
from kdrun.config.schema import Config
from kdrun.errors import RunFailed
from kdrun.experiment.several import Several
from kdrun.plans import Plan
from kdrun.plans.build import PointConfig, comparison_plan, teacher_plan
from kdrun.plans.record import write_record
from kdrun.runs.folder import DamagedFileError
from kdrun.runs.spec import RunSpec
from kdrun.runs.store import Store
from kdrun.runs.trust import Trust
from kdrun.runs.verify import check
from kdrun.trackers.tracking import Tracking

if TYPE_CHECKING:
    from kdrun.executors import Executor
    from kdrun.experiment.lab import Lab
    from kdrun.experiment.train import Observer


def compare(
    command: str,
    points: Sequence[PointConfig],
    *,
    overrides: Sequence[str],
    experiment: str | None,
    config_dir: Sequence[Path],
    trust: Sequence[str],
    dry_run: bool,
    retrain_damaged: bool,
    quiet: bool,
    as_json: bool,
    **_: Any,
) -> None:
    """`distill` and `sweep`: train what is new, write the report, print it."""
    output = output_for(as_json=as_json, quiet=quiet, dry_run=dry_run)
    config, plan = points[0][0], comparison_plan(points, Trust.of(trust, config_dir))
    store = Store(Path(config.outputs))
    if dry_run:
        print_plan(points, plan, store, result_console())
        return
    failures = _carry_out(plan, config, store, output, retrain_damaged=retrain_damaged)
    folder = write_record(plan, store, command, command_line(command, experiment, config_dir, overrides, trust))
    store.write_results()
    if any(use.role == "student" and store.folder(use.spec).is_finished for use in plan.uses):
        output.compared(folder)
    _raise_failed(failures)


def teach(
    points: Sequence[PointConfig],
    *,
    config_dir: Sequence[Path],
    trust: Sequence[str],
    dry_run: bool,
    retrain_damaged: bool,
    quiet: bool,
    as_json: bool,
    **_: Any,
) -> None:
    """`train-teacher`: train it unless it is there, and say how good it is and where it lies."""
    output = output_for(as_json=as_json, quiet=quiet, dry_run=dry_run)
    config, plan = points[0][0], teacher_plan(points, Trust.of(trust, config_dir))
    store = Store(Path(config.outputs))
    if dry_run:
        print_plan(points, plan, store, result_console())
        return
    failures = _carry_out(plan, config, store, output, retrain_damaged=retrain_damaged)
    store.write_results()
    _raise_failed(failures)
    output.taught(store.folder(plan.uses[0].spec))


def _carry_out(plan: Plan, config: Config, store: Store, output: Output, *, retrain_damaged: bool) -> list[str]:
    """Trains the runs that are not finished; returns a line for each that could not be."""
    tracker = named(config.tracker)
    new = unfinished(plan, store, retrain_damaged=retrain_damaged)
    for spec in plan.runs:
        store.folder(spec).update_spec(spec)
    finished = [spec for spec in plan.runs if spec not in set(new)]
    if not new:
        output.planned(len(finished), 0)
        with Tracking(tracker, store, finished, warn=partial(click.echo, err=True)):
            return []
    from kdrun.experiment.train import preflight

    lab = lab_for(config, store)
    preflight(new, lab)
    executor = executor_of(config)
    decision = decide_for(new, lab, executor, config)
    lab.caching = decision.caching
    store.check_writable()
    output.planned(len(plan.runs), len(new), what_is_kept(decision))
    tally = Tally({spec: _length(spec, lab) for spec in new}, before=len(finished))
    with (
        output.progress(tally) as progress,
        Tracking(tracker, store, finished, warn=progress.remarked) as tracking,
        _asked_to_stop(progress.remarked) as stop,
    ):
        return _until_stopped(executor, new, lab, Several([tally, progress, tracking]), stop)


def _until_stopped(
    executor: Executor, new: Sequence[RunSpec], lab: Lab, observer: Observer, stop: Callable[[], bool]
) -> list[str]:
    from kdrun.experiment.train import Interrupted

    try:
        return executor.execute(new, lab, observer, stop=stop)
    except Interrupted:
        raise click.Abort from None


def _length(spec: RunSpec, lab: Lab) -> Length:
    steps = lab.data(spec.dataset).training_batches(spec).steps_per_epoch
    return Length(spec.recipe["epochs"], steps)


def _raise_failed(failures: Sequence[str]) -> None:
    """RunFailed with a line for each run that failed, where there is any."""
    if len(failures) == 1:
        raise RunFailed(failures[0])
    if failures:
        raise RunFailed("\n".join([f"{len(failures)} runs failed:", *(f"  {line}" for line in failures)]))


def unfinished(plan: Plan, store: Store, *, retrain_damaged: bool) -> list[RunSpec]:
    """The runs of a plan that are not finished, once every file of those that are, or that were begun, is verified.

    retrain_damaged: renames the folders of runs whose files are damaged, so that they count as not finished;
        otherwise such a run raises UserError.
    """
    new = []
    for spec in plan.runs:
        folder = store.folder(spec)
        try:
            check(folder)
        except DamagedFileError:
            if not retrain_damaged:
                raise
            click.echo(f"set aside as {folder.set_aside()}", err=True)
        if not folder.is_finished:
            new.append(spec)
    return new


@contextmanager
def _asked_to_stop(say: Callable[[str], None]) -> Iterator[Callable[[], bool]]:
    """Gives a function that says whether Ctrl-C or a wish to end has come; the second one ends the process at once."""
    asked: list[int] = []

    def ask(number: int, _frame: FrameType | None) -> None:
        if asked:
            raise KeyboardInterrupt
        asked.append(number)
        say("Stopping after this step; the same command goes on from there.")

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: bool(asked)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
