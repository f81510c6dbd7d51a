"""Overrides as typed: parsed with Hydra's grammar, refused where kdrun does not take them, expanded to a grid."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from itertools import product
from math import ceil, isfinite, prod
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import ChoiceSweep, Glob, IntervalSweep, Override
from hydra.errors import HydraException, OverrideParseException

from kdrun.config.explain import unknown_option
from kdrun.errors import UserError


@dataclass(frozen=True)
class Setting:
    """One override with one value: `tau=4`. `is_choice` marks the choice of an option of a group."""

    key: str
    value: Any
    text: str
    is_choice: bool
    is_swept: bool


Point = tuple[Setting, ...]

MOST_POINTS = 10_000

# What is the same for a whole command: it cannot change a result.
_OF_THE_COMMAND = ("outputs", "data_root", "device", "compile", "cuda_graphs", "executor", "cache", "tracker", "sweep")
_OF_A_RUN = ("cache.dtype",)  # although what it belongs to is not

_LISTS = ("seeds", "teachers", ".path", ".peers")  # ends of keys whose value may be typed without its brackets


def expand(overrides: Sequence[str], groups: Mapping[str, Sequence[str]]) -> list[Point]:
    """The points of a grid: one for each combination of the values that the overrides name, in the order typed.

    overrides: `key=value`, `key=v1,v2`, `key=range(1,9)`, `key=choice(a,b)`, `group=glob(*)`.
    groups: options by group, see `kdrun.config.files.groups`.
    Raises UserError for what cannot be parsed, `+key`, `~key`, `hydra.*`, a package, a repeated key or value, an
    unknown option, several values of a key that is not part of a run, and a grid of too many points.
    """
    parsed = _parse(overrides)
    points = prod(_how_many(override, groups) for override in parsed)
    if points > MOST_POINTS:
        raise UserError(f"the grid has {points:,} points, at most {MOST_POINTS:,} are taken; name fewer values")
    return list(product(*(_settings(override, groups) for override in parsed)))


def one_point(overrides: Sequence[str], groups: Mapping[str, Sequence[str]], command: str) -> Point:
    """The single point of a command that takes no grid.

    Raises UserError as `expand` does, and for an override that names several values.
    """
    for override in _parse(overrides):
        if override.is_sweep_override():
            is_list = override.key_or_group.endswith(_LISTS)
            hint = f"; a list is written {override.key_or_group}=[...]" if is_list else ""
            raise UserError(
                f"{override.input_line} names several values: use `kdrun sweep`, not `kdrun {command}`{hint}"
            )
    return expand(overrides, groups)[0]


def _parse(overrides: Sequence[str]) -> list[Override]:
    parser = OverridesParser.create()
    parsed = [_parse_one(parser, text) for text in overrides]
    keys = [override.key_or_group for override in parsed]
    for key in keys:
        if keys.count(key) > 1:
            raise UserError(f"{key} is given more than once; give it once, or several values to `kdrun sweep`")
    return parsed


def _parse_one(parser: OverridesParser, text: str) -> Override:
    if "=" not in text and not text.startswith("~"):
        raise UserError(f"cannot read {text!r}: an override is written key=value, such as tau=4")
    try:
        override = parser.parse_override(text)
    except (OverrideParseException, HydraException) as error:
        reason = str(error).splitlines()[0]
        raise UserError(f"cannot read {text!r}: {reason}; put texts with special characters in quotes") from error
    key = override.key_or_group
    if override.is_add() or override.is_force_add():
        raise UserError(f"{text}: keys cannot be added with +; write {text.lstrip('+')}, or a file in --config-dir")
    if override.is_delete():
        raise UserError(f"{text}: keys cannot be removed with ~; choose another option instead")
    if key == "hydra" or key.startswith(("hydra.", "hydra/")):
        raise UserError(f"{text}: kdrun does not take Hydra's own settings; outputs=DIR chooses the outputs folder")
    if override.package is not None:
        raise UserError(f"{text}: write {key}={override.get_value_element_as_str()}, without @")
    return override


def _how_many(override: Override, groups: Mapping[str, Sequence[str]]) -> int:
    """The number of values of an override, without making them."""
    if not override.is_sweep_override():
        return 1
    key = override.key_or_group
    values: Any = override.value()
    if key.partition(".")[0] in _OF_THE_COMMAND and key not in _OF_A_RUN:
        raise UserError(f"{override.input_line}: {key} is not part of a run and cannot be swept; give it one value")
    if isinstance(values, Glob):
        return len(_glob(key, values, groups))
    if isinstance(values, ChoiceSweep):
        return len(values.list)
    if isinstance(values, IntervalSweep):
        raise UserError(f"{override.input_line}: name the values, such as {key}=1,2,4 or {key}=range(1,9)")
    start, stop, step = (float(end or 0) for end in (values.start, values.stop, values.step))
    if not (all(map(isfinite, (start, stop, step))) and step and (stop - start) / step > 0):
        raise UserError(
            f"{override.input_line} names no values; write it such as {key}=range(1,9), which stops before 9"
        )
    return ceil((stop - start) / step)


def _settings(override: Override, groups: Mapping[str, Sequence[str]]) -> list[Setting]:
    key = override.key_or_group
    is_choice = key in groups
    if not override.is_sweep_override():
        texts = [override.get_value_element_as_str()]
    elif isinstance(override.value(), Glob):
        texts = _glob(key, override.value(), groups)
    else:
        texts = list(override.sweep_string_iterator())
    swept = override.is_sweep_override()
    parser = OverridesParser.create()
    settings: list[Setting] = []
    for text in texts:
        value = parser.parse_override(f"{key}={text}").value()
        if is_choice:
            _check_options(key, value, groups[key])
        if any(value == earlier.value for earlier in settings):
            raise UserError(f"{override.input_line} names {text} more than once; name each value once")
        settings.append(Setting(key, value, f"{key}={text}", is_choice, swept))
    return settings


def _glob(key: str, pattern: Any, groups: Mapping[str, Sequence[str]]) -> list[str]:
    matched = [
        option
        for option in groups.get(key, ())
        if any(fnmatch(option, p) for p in pattern.include) and not any(fnmatch(option, p) for p in pattern.exclude)
    ]
    if not matched:
        raise UserError(
            f"{key}=glob({','.join(pattern.include)}) matches nothing; `kdrun options {key}` lists what there is"
        )
    return matched


def _check_options(group: str, value: Any, options: Sequence[str]) -> None:
    for option in value if isinstance(value, list) else [value]:
        if str(option) not in options:
            raise unknown_option(group, str(option), options)
