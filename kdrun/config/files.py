"""The files of conf/: groups and the options in them. Reads folders only, so that help and completion are quick."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from kdrun.errors import UserError

ROLES = ("teacher", "student")  # both choose a file of conf/model


def conf_dir() -> Path:
    """The folder conf/: inside the package in a wheel, beside it in a checkout or editable install."""
    package = Path(__file__).resolve().parent.parent
    inside = package / "conf"
    return inside if inside.is_dir() else package.parent / "conf"


def experiments_dir() -> Path:
    """The folder experiments/ of the checkout, or of the working directory."""
    beside = conf_dir().parent / "experiments"
    return beside if beside.is_dir() else Path.cwd() / "experiments"


def groups(config_dirs: Iterable[Path] = ()) -> dict[str, list[str]]:
    """Options by group: {'dataset': ['mnist5k', ...], ..., 'knowledge': ['response/kd', ...]}, sorted.

    config_dirs: users' own folders; their files count as options of the group they lie in.
    Raises UserError for a folder that is not there, and for two files that would be the same option.
    """
    found: dict[str, dict[str, Path]] = {}
    for root in (conf_dir(), *config_dirs):
        if not root.is_dir():
            raise _no_folder(root)
        for path in root.glob("*/**/*.yaml"):
            group, _, option = path.relative_to(root).with_suffix("").as_posix().partition("/")
            first = found.setdefault(group, {}).setdefault(option, path)
            if first.resolve() != path.resolve():
                raise UserError(f"{path} has the name of {first}; give your file another name")
    models = found.pop("model", {})
    found.update(dict.fromkeys(ROLES, models))
    return {group: sorted(found[group]) for group in sorted(found)}


def check_readable(config_dirs: Iterable[Path]) -> None:
    """Raises UserError with the name of a users' file that is no YAML file of keys and values."""
    for path in (path for root in config_dirs for path in _paths(root)):
        _content(path)


def contents(root: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """The content of each YAML file of a folder that can be read, with the group that it lies in.

    Raises UserError for a folder that is not there.
    """
    if not root.is_dir():
        raise _no_folder(root)
    for path in _paths(root):
        with suppress(UserError):
            yield path.relative_to(root).parts[0], _content(path)


def _paths(root: Path) -> list[Path]:
    return sorted(root.glob("*/**/*.yaml"))


def _content(path: Path) -> dict[str, Any]:
    import yaml

    try:
        content = yaml.safe_load(_text(path))
    except (ValueError, yaml.YAMLError) as error:
        mark = getattr(error, "problem_mark", None)
        line = f"line {mark.line + 1}: " if mark else ""
        raise UserError(f"cannot read {path}: {line}{getattr(error, 'problem', error)}") from error
    if not isinstance(content, dict):
        raise UserError(f"cannot read {path}: it must hold keys and values, such as `name: mine`")
    return content


def first_comment(group: str, option: str, config_dirs: Iterable[Path] = ()) -> str:
    """What an option's file says of itself: its first comment that is not a Hydra directive, or ''."""
    folder = "model" if group in ROLES else group
    for root in (*config_dirs, conf_dir()):
        path = root / folder / f"{option}.yaml"
        if path.is_file():
            lines = (line.strip() for line in _text(path).splitlines())
            comments = (line.lstrip("# ") for line in lines if line.startswith("#"))
            return next((comment for comment in comments if not comment.startswith("@")), "")
    return ""


def options_with(key: str) -> list[str]:
    """`mode=born_again` for `mode.generations`: the options of kdrun's own groups whose files have this key."""
    import yaml

    group, _, name = key.partition(".")
    paths = sorted((conf_dir() / group).glob("*.yaml")) if group and name else []
    return [f"{group}={path.stem}" for path in paths if name in (yaml.safe_load(_text(path)) or {})]


def _no_folder(root: Path) -> UserError:
    return UserError(f"no config folder {root}; name a folder that exists with --config-dir")


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise UserError(f"cannot read {path}: {error}") from error
