"""What a training command prints: words and tables for people, or JSON lines for programs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import click

from kdrun.cli.console import progress_console, result_console
from kdrun.cli.json_lines import JsonLines, tell
from kdrun.errors import UserError

if TYPE_CHECKING:
    from kdrun.cli.progress import Progress
    from kdrun.cli.tally import Tally
    from kdrun.runs.folder import RunFolder


class Output(Protocol):
    """Where everything but errors goes."""

    def planned(self, total: int, new: int, kept: Sequence[str] = ()) -> None:
        """total: runs of the plan; new: those not finished; kept: lines on what the cache will hold."""
        ...

    def progress(self, tally: Tally) -> Progress: ...

    def compared(self, folder: Path) -> None:
        """The report in this folder can be made."""
        ...

    def taught(self, folder: RunFolder) -> None:
        """The teacher in this folder is finished."""
        ...


def output_for(*, as_json: bool, quiet: bool, dry_run: bool) -> Output:
    """The output that was asked for. Raises UserError for options that contradict each other."""
    if as_json and (quiet or dry_run):
        raise UserError(f"--json and {'--quiet' if quiet else '--dry-run'} exclude each other; leave one of them out")
    return ForPrograms() if as_json else ForPeople(quiet)


@dataclass(frozen=True)
class ForPeople:
    """Progress on stderr, unless quiet; results on stdout."""

    quiet: bool

    def planned(self, total: int, new: int, kept: Sequence[str] = ()) -> None:
        if self.quiet:
            return
        if 0 < new < total:
            click.echo(f"{total} runs: {total - new} finished before, {new} to train", err=True)
        for line in kept:
            click.echo(line, err=True)

    def progress(self, tally: Tally) -> Progress:
        from kdrun.cli.live import Live
        from kdrun.cli.plain import Plain
        from kdrun.cli.progress import Silent

        if self.quiet:
            return Silent()
        console = progress_console()
        return Live(console, tally) if console.is_terminal and not console.is_dumb_terminal else Plain(tally)

    def compared(self, folder: Path) -> None:
        from kdrun.cli.reporting import show

        show(folder, result_console())

    def taught(self, folder: RunFolder) -> None:
        result = folder.result()
        errors = round((1 - result["test_accuracy"]) * result["test_examples"])
        click.echo(
            f"teacher {result['model']} on {result['dataset']}: test accuracy {100 * result['test_accuracy']:.2f} % "
            f"({errors} errors of {result['test_examples']:,}), trained on {result['train_examples']:,} examples, "
            f"{result['parameters']:,} parameters"
        )
        click.echo(f"{folder.path}/")


class ForPrograms:
    """JSON lines on stdout."""

    def planned(self, total: int, new: int, kept: Sequence[str] = ()) -> None:
        tell("plan", {"runs": total, "finished": total - new, "to_train": new, "cache": list(kept)})

    def progress(self, tally: Tally) -> Progress:
        return JsonLines(tally)

    def compared(self, folder: Path) -> None:
        from kdrun.reports.write import write_report

        write_report(folder)
        tell("report", {"folder": str(folder)})

    def taught(self, folder: RunFolder) -> None:
        tell("report", {"folder": str(folder.path)})
