"""What a run's description must look like when it is read from a file that may come from anybody."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from kdrun.config.checks import GREATEST_SEED
from kdrun.config.explain import shown
from kdrun.errors import UserError

DEEPEST = 20  # groups and lists within each other; kdrun's own have 5
_SPECIAL = re.compile(r"_\w+_")  # keys that Hydra's instantiate follows: _args_, _partial_, ...
_NAME = re.compile(r"[\w.+-]+")  # part of a folder's name

Check = tuple[Callable[[Any], bool], str]


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _or_null(check: Check) -> Check:
    return lambda value: value is None or check[0](value), f"{check[1]} or null"


def _list_of(check: Check) -> Check:
    return lambda value: isinstance(value, list) and all(map(check[0], value)), f"a list, each {check[1]}"


_GROUP: Check = (lambda value: isinstance(value, Mapping), "a group of keys")
_TEXT: Check = (lambda value: isinstance(value, str), "a text")
_CALLED: Check = (
    lambda value: isinstance(value, str) and _NAME.fullmatch(value) is not None,
    "letters, digits and any of _ . + -",
)
_WHOLE: Check = (lambda value: _is_whole(value) and 0 <= value <= GREATEST_SEED, "a whole number of at least 0")
_COUNT: Check = (lambda value: _is_whole(value) and 1 <= value <= GREATEST_SEED, "a whole number of at least 1")
_NUMBER: Check = (_is_number, "a number")
_SWITCH: Check = (lambda value: isinstance(value, bool), "true or false")

# Dotted keys of a description; `*` is any key or number. A key that is not there is left to the spec.
_SHAPES: Mapping[str, Check] = {
    "kind": (lambda value: value in ("teacher", "baseline", "control", "student"), "a kind of run"),
    "seed": _WHOLE,
    "data_seed": _WHOLE,
    "dataset": _GROUP,
    "dataset.name": _CALLED,
    "dataset.source": _GROUP,
    "dataset.content": _GROUP,
    "dataset.mean": _or_null(_list_of(_NUMBER)),
    "dataset.std": _or_null(_list_of(_NUMBER)),
    "dataset.test_size": _or_null(_NUMBER),
    "dataset.validation_size": _NUMBER,
    "dataset.split_seed": _WHOLE,
    "train_size": _or_null(_COUNT),
    "model": _GROUP,
    "model.name": _CALLED,
    "model.members": _list_of(_GROUP),
    "model.members.*.name": _CALLED,
    "recipe": _GROUP,
    "recipe.epochs": _WHOLE,
    "recipe.batch_size": _COUNT,
    "recipe.augment": _GROUP,
    "recipe.augment.padding": _WHOLE,
    "recipe.augment.flip": _SWITCH,
    "recipe.optimizer": _GROUP,
    "recipe.schedule": _GROUP,
    "precision": (lambda value: value in ("fp32", "bf16", "fp16"), "fp32, bf16 or fp16"),
    "alpha": _or_null((lambda value: _is_number(value) and 0 <= value <= 1, "between 0 and 1")),
    "label_weight": _or_null((lambda value: _is_number(value) and value >= 0, "at least 0")),
    "terms": _GROUP,
    "terms.*": _GROUP,
    "terms.*.tau": _NUMBER,
    "terms.*.weight": _NUMBER,
    "terms.*.warmup_epochs": _WHOLE,
    "terms.*.mix": _SWITCH,
    "terms.*.label_weight": _or_null(_NUMBER),
    "mode": _or_null(_GROUP),
    "mode.name": _CALLED,
    "mode.hears": _list_of(_list_of(_WHOLE)),
    "targets": _GROUP,
    "teacher_dtype": (lambda value: value in ("fp32", "fp16"), "fp32 or fp16"),
    "teacher": _or_null(_TEXT),
    "starts_from": _or_null(_TEXT),
    "made_of": _list_of(_TEXT),
    "examples": _GROUP,
    "examples.omit": _list_of(_TEXT),
    "examples.transfer": _TEXT,
    "examples.as_long_as": _TEXT,
    "examples.special": _GROUP,
    "schedules": _GROUP,
    "schedules.*": _GROUP,
    "schedules.*.name": _CALLED,
    "schedules.*.start": _NUMBER,
}


def check_shapes(described: Any, path: Path) -> None:
    """Raises UserError with the key for what cannot be a run's description, read from `path`.

    Refused as well: keys that Hydra would follow, and texts that it would replace. What is read back is complete.
    """
    if not isinstance(described, Mapping):
        raise UserError(f"{path} must hold a group of keys, got {shown(described)}")
    _check_plain(described, (), path)
    for dotted, (fits, expected) in _SHAPES.items():
        for keys, value in _found(described, dotted.split("."), ()):
            if not fits(value):
                raise UserError(f"{path}: {_dotted(keys)} must be {expected}, got {shown(value)}")


def _check_plain(value: Any, keys: tuple[str, ...], path: Path) -> None:
    if len(keys) > DEEPEST:
        raise UserError(f"{path}: {_dotted(keys[:3])} is nested deeper than {DEEPEST} levels")
    if isinstance(value, Mapping):
        for key, one in value.items():
            if key == "defaults" or (key != "_target_" and _SPECIAL.fullmatch(key)):
                raise UserError(f"{path}: the key {_dotted((*keys, key))} is not taken from a finished run")
            _check_plain(one, (*keys, key), path)
    elif isinstance(value, list):
        for number, one in enumerate(value):
            _check_plain(one, (*keys, str(number)), path)
    elif isinstance(value, str) and ("${" in value or value == "???"):
        raise UserError(f"{path}: {_dotted(keys)} must be a plain value, got {shown(value)}")


def _found(value: Any, pattern: list[str], keys: tuple[str, ...]) -> list[tuple[tuple[str, ...], Any]]:
    """What stands under a pattern of keys, with its keys."""
    if not pattern:
        return [(keys, value)]
    first, *rest = pattern
    if isinstance(value, Mapping):
        children = {str(key): one for key, one in value.items() if first in ("*", key)}
    elif isinstance(value, list) and first == "*":
        children = {str(number): one for number, one in enumerate(value)}
    else:
        children = {}
    return [found for key, one in children.items() for found in _found(one, rest, (*keys, key))]


def _dotted(keys: tuple[str, ...]) -> str:
    """Keys as a message shows them: a store's own may hold anything."""
    text = ".".join(keys)
    return text if re.fullmatch(r"[\w.+-]{1,60}", text) else shown(text)
