"""Carries out the benches: configurations with stores of their own, which are gone when they are done."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import click

from kdrun.cli.laboratory import decide_for, executor_of, lab_for
from kdrun.cli.points import grid, settled
from kdrun.config.compose import Composer
from kdrun.config.grid import expand, one_point
from kdrun.config.schema import Config
from kdrun.errors import UserError
from kdrun.plans.build import PointConfig, comparison_plan
from kdrun.runs.spec import RunSpec
from kdrun.runs.store import Store
from kdrun.runs.trust import Trust

if TYPE_CHECKING:
    from kdrun.executors import Executor
    from kdrun.experiment.lab import Lab

POINTS = 5
_COMPOSE = (("hydra", "compose.py"), "compose")


def time_step(
    *,
    overrides: Sequence[str],
    config_dir: Sequence[Path],
    trust: Sequence[str],
    rounds: int,
    seconds: float,
    workers: int,
    as_json: bool,
    quiet: bool,
) -> None:
    """`kdrun bench step`."""
    from kdrun.bench.step import bench_step

    composer = Composer(config_dir)
    config = _timed(composer.config(one_point(overrides, composer.groups, "bench")))
    with _laboratory([(config, "")], Trust.of(trust, config_dir)) as (specs, lab, executor):
        measured = bench_step(
            specs[0],
            config.tau,
            lab,
            executor,
            rounds=rounds,
            seconds=seconds,
            workers=workers,
            told=_rounds_told(rounds, quiet),
        )
    _print(measured | {"settings": list(overrides)}, as_json)


def time_sweep(
    *,
    overrides: Sequence[str],
    config_dir: Sequence[Path],
    trust: Sequence[str],
    rounds: int,
    seconds: float,
    k: int,
    as_json: bool,
    quiet: bool,
) -> None:
    """`kdrun bench sweep`."""
    from kdrun.bench.sweep import bench_sweep

    composer = Composer(config_dir)
    taus = f"tau=range(1,{k + 1})"
    uncached = [*(one for one in overrides if one.partition("=")[0].partition(".")[0] != "cache"), "cache=off"]
    together, alone = (
        [(_timed(composer.config(point)), "") for point in expand([*typed, taus], composer.groups)]
        for typed in (overrides, uncached)
    )
    trusted = Trust.of(trust, config_dir)
    with _laboratory(together, trusted) as of_all, _laboratory(alone, trusted) as of_each:
        measured = bench_sweep(of_all, of_each, rounds=rounds, seconds=seconds, told=_rounds_told(rounds, quiet))
    _print(measured | {"settings": list(overrides)}, as_json)


def time_startup(
    *,
    overrides: Sequence[str],
    config_dir: Sequence[Path],
    trust: Sequence[str],
    rounds: int,
    as_json: bool,
    quiet: bool,
) -> None:
    """`kdrun bench startup`."""
    from kdrun.bench.startup import bench_startup

    measured = bench_startup([*_options(config_dir, trust), *overrides], rounds=rounds, told=_told(quiet))
    counted = {"sweep_points": POINTS, "sweep_composes": _composes(config_dir), "settings": list(overrides)}
    _print(measured | counted, as_json)


def time_scaling(
    *,
    overrides: Sequence[str],
    config_dir: Sequence[Path],
    trust: Sequence[str],
    rounds: int,
    points: int,
    examples: int,
    epochs: int,
    as_json: bool,
    quiet: bool,
) -> None:
    """`kdrun bench scaling`."""
    from kdrun.bench.scaling import Size, bench_scaling

    smallest = Size(points, examples, epochs)
    _print(
        bench_scaling([*_options(config_dir, trust), *overrides], smallest, rounds=rounds, told=_told(quiet)), as_json
    )


def _options(config_dir: Sequence[Path], trust: Sequence[str]) -> list[str]:
    folders = [word for folder in config_dir for word in ("--config-dir", str(folder))]
    return [*folders, *(word for module in trust for word in ("--trust", module))]


def _composes(config_dir: Sequence[Path]) -> int:
    """How often Hydra composes in a sweep of POINTS temperatures."""
    from cProfile import Profile
    from pstats import Stats

    profile = Profile()
    taus = f"tau={','.join(map(str, range(1, POINTS + 1)))}"
    profile.runcall(grid, overrides=[taus], experiment=None, config_dir=config_dir)
    stats: dict[tuple[str, int, str], tuple[int, int, float, float, Any]] = Stats(profile).stats  # type: ignore[attr-defined]
    return sum(calls for (file, _, name), (_, calls, *_) in stats.items() if (Path(file).parts[-2:], name) == _COMPOSE)


def _timed(config: Config) -> Config:
    """The configuration without a validation part and with one seed: an epoch ends as it does in the bare loop."""
    if config.executor["name"] == "processes":
        raise UserError("executor=processes trains elsewhere, where it cannot be timed; use executor=lockstep")
    dataset = replace(config.dataset, validation_size=0)
    return replace(settled(config), dataset=dataset, seeds=config.seeds[:1], controls={})


@contextmanager
def _laboratory(points: Sequence[PointConfig], trust: Trust) -> Iterator[tuple[list[RunSpec], Lab, Executor]]:
    """The points' students, with a lab whose store is empty and goes away."""
    config = points[0][0]
    executor = executor_of(replace(config, executor={**config.executor, "state_every_s": float("inf")}))
    uses = comparison_plan(points, trust).uses
    specs = list(dict.fromkeys(use.spec for use in uses if use.role == "student"))
    if not all(spec.is_trained for spec in specs):
        raise UserError(
            f"mode={config.mode['name']} trains several networks as one; the bench times one student, type mode=offline"
        )
    with TemporaryDirectory(prefix="kdrun-bench-") as folder:
        lab = lab_for(config, Store(Path(folder)))
        lab.caching = decide_for(specs, lab, executor, config).caching
        yield specs, lab, executor


def _told(quiet: bool) -> Callable[[str], None]:
    return (lambda _: None) if quiet else (lambda text: click.echo(text, err=True))


def _rounds_told(rounds: int, quiet: bool) -> Callable[[int], None]:
    tell = _told(quiet)
    return lambda number: tell(f"round {number} of {rounds}")


def _print(measured: Mapping[str, Any], as_json: bool) -> None:
    if as_json:
        import json

        click.echo(json.dumps(measured))
        return
    from kdrun.cli.bench_tables import print_measured
    from kdrun.cli.console import result_console

    print_measured(measured, result_console())
