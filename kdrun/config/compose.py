"""Composition: overrides in, a checked `Config` out. The only module that touches Hydra's compose."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir
from hydra.core.config_store import ConfigStore
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import ConfigAttributeError, ConfigKeyError, OmegaConfBaseException, ValidationError
from yaml import YAMLError

from kdrun.config import checks, explain, files, schema
from kdrun.config.grid import Point, Setting
from kdrun.errors import UserError

MODE_MODELS = ("path", "peers")  # keys of modes that list networks by name


class Composer:
    """Composes points of one command; choices of groups are composed by Hydra once for each combination.

    config_dirs: users' own folders, searched after conf/.
    """

    def __init__(self, config_dirs: Sequence[Path] = ()) -> None:
        self.config_dirs = tuple(path.resolve() for path in config_dirs)
        self.groups = files.groups(self.config_dirs)
        self._bases: dict[tuple[str, ...], DictConfig] = {}

    def config(self, point: Point = ()) -> schema.Config:
        """The checked configuration of a point.

        Raises UserError: unknown key, wrong type, value out of range, missing value, damaged YAML file.
        """
        node = self._base(tuple(setting.text for setting in point if setting.is_choice))
        for setting in point:
            if not setting.is_choice:
                _apply(node, setting, self.groups)
        try:
            config: schema.Config = OmegaConf.to_object(node)  # type: ignore[assignment]
        except OmegaConfBaseException as error:
            raise UserError(_first_line(error)) from error
        config = self._with_models(config)
        checks.check(config)
        return config

    def keys(self, point: Point = ()) -> list[str]:
        """Every key that can be overridden, dotted."""
        return list(_leaves(self._base(tuple(setting.text for setting in point if setting.is_choice))))

    def _with_models(self, config: schema.Config) -> schema.Config:
        """Where several networks are named (`teachers`, and lists in `mode`): the networks for their names."""
        if not isinstance(config.mode, dict):
            raise UserError(f"mode must be a group with plan and trains, got {explain.shown(config.mode)}")
        named = {key: self._models(f"mode.{key}", config.mode[key]) for key in MODE_MODELS if key in config.mode}
        return replace(config, teachers=self._models("teachers", config.teachers), mode={**config.mode, **named})

    def _models(self, key: str, names: Any) -> list[Any]:
        numbers = [name for name in names if isinstance(name, int | float)] if isinstance(names, list) else []
        if numbers:
            raise UserError(f"{key}: {numbers[0]} reads as a number; name a run by the whole of its id (`kdrun runs`)")
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise UserError(f"{key} must be a list of names, such as {key}=[mlp300,mlp64], got {explain.shown(names)}")
        known = self.groups["student"]
        for name in names:
            if key != "teachers" and name not in known:  # those may also be finished runs
                raise explain.unknown_network(key, name, known)
        return [self._model(name) if name in known else name for name in names]

    def _model(self, name: str) -> Any:
        """The architecture of a file of conf/model."""
        return OmegaConf.to_container(self._base((f"student={name}",)).student, resolve=True)

    def _base(self, choices: tuple[str, ...]) -> DictConfig:
        if choices not in self._bases:
            self._bases[choices] = self._compose(choices)
        return deepcopy(self._bases[choices])

    def _compose(self, choices: tuple[str, ...]) -> DictConfig:
        _store_schema(self.groups["teacher"])
        searchpath = ",".join(_quoted(f"file://{path}/") for path in self.config_dirs)
        try:
            with initialize_config_dir(version_base="1.3", config_dir=str(files.conf_dir())):
                return compose("config", overrides=[*choices, f"hydra.searchpath=[{searchpath}]"])
        except (HydraException, OmegaConfBaseException, YAMLError, OSError, ValueError) as error:
            files.check_readable(self.config_dirs)
            raise UserError(
                f"cannot compose {' '.join(choices) or 'the configuration'}: {_first_line(error)}"
            ) from error


def _quoted(text: str) -> str:
    """A text, not ending in a backslash, as Hydra's grammar reads it back."""
    return "'" + re.sub(r"(\\*)'", r"\1\1\\'", text) + "'"


def _apply(node: DictConfig, setting: Setting, groups: Collection[str]) -> None:
    key, value = setting.key, setting.value
    explain.finite(key, value)
    try:
        before = OmegaConf.select(node, key)
        OmegaConf.update(node, key, value, merge=True)
    except (ConfigAttributeError, ConfigKeyError) as error:
        raise explain.unknown_key(key, groups, _leaves(node)) from error
    except ValidationError as error:
        raise explain.wrong_type(key, value, str(error)) from error
    except OmegaConfBaseException as error:
        raise UserError(f"{setting.text}: {_first_line(error)}") from error
    explain.like_before(key, _plain(before), value, is_typed=schema.is_typed(key))


def _plain(value: Any) -> Any:
    return OmegaConf.to_container(value) if OmegaConf.is_config(value) else value


def _store_schema(models: Sequence[str]) -> None:
    """Puts the schema, and each file of conf/model as an option of both roles, where Hydra finds them."""
    node = OmegaConf.structured(schema.Config)
    _thaw(node)
    store = ConfigStore.instance()
    store.store("schema", node)
    for role, crowd in (("teacher", schema.CROWD), ("student", {})):
        for model in models:
            store.store(model, {"defaults": [{"/model@_here_": model}], **crowd}, group=role)


def _thaw(node: DictConfig) -> None:
    """A frozen dataclass makes a read-only node, which composition could not fill."""
    OmegaConf.set_readonly(node, False)
    for key in node:
        if not OmegaConf.is_missing(node, key) and isinstance(node[key], DictConfig):
            _thaw(node[key])


def _leaves(node: DictConfig, prefix: str = "") -> Iterator[str]:
    for key in map(str, node):
        plain = not OmegaConf.is_missing(node, key) and not OmegaConf.is_interpolation(node, key)
        if plain and isinstance(node[key], DictConfig):
            yield from _leaves(node[key], f"{prefix}{key}.")
        elif key != "_target_":
            yield f"{prefix}{key}"


def _first_line(error: Exception) -> str:
    return next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
