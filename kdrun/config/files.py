"""The files of conf/: groups and the options in them. Reads folders only, so that help and completion are quick."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

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
    """
    found: dict[str, set[str]] = {}
    for root in (conf_dir(), *config_dirs):
        if not root.is_dir():
            raise UserError(f"no config folder {root}; name a folder that exists with --config-dir")
        for path in root.glob("*/**/*.yaml"):
            group, _, option = path.relative_to(root).with_suffix("").as_posix().partition("/")
            found.setdefault(group, set()).add(option)
    models = found.pop("model", set())
    found.update({role: set(models) for role in ROLES})
    return {group: sorted(found[group]) for group in sorted(found)}


def first_comment(group: str, option: str, config_dirs: Iterable[Path] = ()) -> str:
    """What an option's file says of itself: its first comment that is not a Hydra directive, or ''."""
    folder = "model" if group in ROLES else group
    for root in (*config_dirs, conf_dir()):
        path = root / folder / f"{option}.yaml"
        if path.is_file():
            lines = (line.strip() for line in path.read_text(encoding="utf-8").splitlines())
            comments = (line.lstrip("# ") for line in lines if line.startswith("#"))
            return next((comment for comment in comments if not comment.startswith("@")), "")
    return ""
