"""From what was typed to an exploration; shows it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

import click

from kdrun.cli.explain import KEYS, KINDS
from kdrun.cli.opening import show_page
from kdrun.cli.saved import command_line
from kdrun.config.compose import Composer
from kdrun.config.grid import expand
from kdrun.config.schema import Config
from kdrun.errors import UserError
from kdrun.experiment.answers import answers
from kdrun.experiment.lab import Lab
from kdrun.explorer.view import View, view
from kdrun.runs.finding import latest, named, recalled
from kdrun.runs.spec import RunSpec
from kdrun.runs.store import Store
from kdrun.runs.trust import Trust
from kdrun.training.precision import choose_device


@dataclass(frozen=True, eq=False)
class Exploration:
    """What is shown, where its files go, and how to ask for it again."""

    view: View
    folder: Path
    command: str


def explored(
    words: Sequence[str], example: int | None, config_dir: Sequence[Path] = (), trusted: Sequence[str] = ()
) -> Exploration:
    """Finds the run that was asked for, and asks its networks about the test examples.

    words: at most one run, and overrides. example: a test example's id. config_dir, trusted: as of `Trust.of`.
    Raises UserError for words that cannot be read, a run that is not there or has no teacher, missing data.
    """
    names, overrides = [word for word in words if "=" not in word], [word for word in words if "=" in word]
    if len(names) > 1:
        raise UserError(f"`kdrun explain` shows one run, got {len(names)}: {', '.join(names)}")
    config = _config(overrides)
    store = Store(Path(config.outputs))
    trust = Trust.of(trusted, config_dir)
    spec = _named(store, names[0], trust) if names else latest(store, KINDS, _can_be_shown, trust)
    lab = Lab(store, choose_device(config.device), Path(config.data_root))
    tau, alpha = _knobs(config, overrides, spec)
    shown = view(answers(spec, lab), tau=tau, alpha=alpha, example=example)
    words = [spec.run_id, *overrides, *([] if example is None else ["--example", str(example)])]
    again = command_line("explain", None, config_dir, words, trusted)
    return Exploration(shown, store.outputs / "explain" / spec.run_id, again)


def print_tables(exploration: Exploration) -> None:
    """The exploration on the terminal."""
    from kdrun.cli.console import result_console
    from kdrun.explorer.tables import tables

    result_console().print(tables(exploration.view), highlight=False)


def write_page(exploration: Exploration, *, open_page: bool) -> None:
    """The exploration as files; prints the page's path. open_page: in the browser, too."""
    from kdrun.explorer.write import write_explorer

    page = write_explorer(exploration.view, exploration.folder, exploration.command)
    click.echo(page)
    if open_page:
        show_page(page)


def _config(overrides: Sequence[str]) -> Config:
    for override in overrides:
        key = override.partition("=")[0]
        if key not in KEYS:
            near = get_close_matches(key, KEYS, n=1)
            hint = f"did you mean {near[0]}?" if near else f"it takes {', '.join(KEYS)}, the run says the rest"
            raise UserError(f"`kdrun explain` does not take {key!r}; {hint}")
    composer = Composer()
    point = expand(overrides, composer.groups)[0]
    for setting in point:
        if setting.is_swept:
            raise UserError(f"{setting.key} has several values; give one, the page goes through the others")
    return composer.config(point)


def _named(store: Store, name: str, trust: Trust) -> RunSpec:
    spec = recalled(store, named(store, name), trust)
    if not _can_be_shown(spec):
        raise UserError(f"{spec.run_id} has no teacher; name a distilled run or a teacher (`kdrun runs`)")
    return spec


def _can_be_shown(spec: RunSpec) -> bool:
    return spec.kind == "teacher" or spec.calls_teacher


def _knobs(config: Config, overrides: Sequence[str], spec: RunSpec) -> tuple[float, float]:
    """tau and alpha as they were typed, otherwise the run's, otherwise the configuration's own."""
    typed = {override.partition("=")[0] for override in overrides}
    tau = config.tau if "tau" in typed or spec.tau is None else spec.tau
    return tau, config.alpha if "alpha" in typed or spec.alpha is None else spec.alpha
