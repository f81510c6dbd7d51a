"""Saved command lines: the YAML files of experiments/."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import yaml

from kdrun.config import files
from kdrun.errors import UserError


def with_saved(command: str, experiment: str | None, overrides: Sequence[str]) -> list[str]:
    """The overrides of a saved command line, then those typed; one that is typed replaces the saved one of its key.

    Raises UserError for a file that is not there, cannot be read, or was saved for another command.
    """
    if experiment is None:
        return list(overrides)
    saved = _read(experiment)
    if saved["command"] != command:
        raise UserError(f"{experiment} was saved for another command: use `kdrun {saved['command']} -e {experiment}`")
    typed = {override.partition("=")[0] for override in overrides}
    kept = [override for override in saved["overrides"] if override.partition("=")[0] not in typed]
    return [*kept, *overrides]


def command_line(
    command: str,
    experiment: str | None,
    config_dirs: Sequence[Path],
    overrides: Sequence[str],
    trusted: Sequence[str] = (),
) -> str:
    """The command as it was typed, for the report."""
    import shlex

    chosen = ["-e", experiment] if experiment else []
    chosen += [word for folder in config_dirs for word in ("--config-dir", str(folder))]
    chosen += [word for module in trusted for word in ("--trust", module)]
    return shlex.join(["kdrun", command, *chosen, *overrides])


def _read(name: str) -> dict[str, Any]:
    folder = files.experiments_dir()
    path = Path(name) if name.endswith(".yaml") else folder / f"{name}.yaml"
    if not path.is_file():
        names = sorted(found.stem for found in folder.glob("*.yaml"))
        close = get_close_matches(name, names, n=1)
        hint = f"did you mean {close[0]}?" if close else f"there are: {', '.join(names) or 'none'}"
        raise UserError(f"no saved experiment {path}; {hint}")
    try:
        saved = yaml.safe_load(path.read_text(encoding="utf-8"))
        overrides = saved["overrides"]
        if not all(isinstance(one, str) for one in (saved["command"], *overrides)):
            raise ValueError("every override must be a text such as tau=4")
    except (OSError, yaml.YAMLError, TypeError, KeyError, ValueError) as error:
        raise UserError(f"cannot read {path}: it needs `command:` and a list `overrides:` ({error})") from error
    return dict(saved)
