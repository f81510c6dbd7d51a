"""One line for every configuration mistake: what is wrong, and what to type instead."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any

from kdrun.config.files import options_with
from kdrun.errors import UserError

_KINDS = {
    "Float": "a number",
    "Integer": "a whole number",
    "Boolean": "true or false",
    "String": "a text",
}

_OTHER_NAMES = {
    "temperature": "tau",
    "model": "student",
    "lr": "train.student.optimizer.lr",
    "learning_rate": "train.student.optimizer.lr",
    "epochs": "train.student.epochs",
    "batch_size": "train.student.batch_size",
    "workers": "executor.workers",
}

_MAY_BE_A_SHARE = ("test_size", "validation_size")  # a whole number of examples, or a fraction of them
_MAY_BE_NULL = ("test_size", "max_norm")  # a number, or null for none


def unknown_key(key: str, groups: Iterable[str], known: Iterable[str]) -> UserError:
    """The error for a key that no configuration has. groups: names of groups; known: every key."""
    keys = list(known)
    if key in _OTHER_NAMES:
        hint = f"; did you mean {_OTHER_NAMES[key]}?"
    elif options := options_with(key):
        hint = f"; it is a key of {' and of '.join(options)}"
    elif "." in key:
        hint = _suggest(key, keys)
    else:
        hint = _suggest(key, [*groups, *(one for one in keys if "." not in one)]) or _suggest(key, keys)
    return UserError(f"unknown key {key!r}{hint or '; `kdrun options` lists the groups'}")


def unknown_option(group: str, value: str, options: Sequence[str]) -> UserError:
    """The error for an option that no file of a group provides; `kd` suggests `response/kd`."""
    whole = [option for option in options if option.rpartition("/")[2] == value]
    hint = f"; did you mean {group}={whole[0]}?" if whole else _suggest(value, options, prefix=f"{group}=")
    return UserError(f"unknown {group} {value!r}{hint or f'; `kdrun options {group}` lists them'}")


def unknown_network(key: str, name: str, known: Sequence[str]) -> UserError:
    """The error for a name in a list of networks that no file of conf/model has."""
    hint = _suggest(name, known) or "; `kdrun options student` lists the networks"
    return UserError(f"{key} names no network with {name!r}{hint}")


def wrong_type(key: str, value: Any, message: str) -> UserError:
    """The error for a value of another type than the schema's, from OmegaConf's own message."""
    if value is None:
        return UserError(f"{key} must have a value, got null")
    if "List" in message or "list" in message:
        return UserError(f"{key} must be a list, written {key}=[...], got {shown(value)}")
    kind = next((text for name, text in _KINDS.items() if f"converted to {name}" in message), None)
    return UserError(f"{key} must be {kind or 'a group of keys, not one value'}, got {shown(value)}")


def finite(key: str, value: Any) -> None:
    """Refuses nan and inf, also within a list or a group of keys (UserError)."""
    if isinstance(value, float) and not math.isfinite(value):
        raise UserError(f"{key} must be finite, got {value}")
    for part in value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ():
        finite(key, part)


def like_before(key: str, before: Any, after: Any, *, is_typed: bool) -> None:
    """Refuses a value of another kind than the file has (UserError): a text for a number, 1.5 for 1, null for a text.

    is_typed: the schema has already seen to null and fractions.
    """
    name = key.rpartition(".")[2]
    if before is None or (isinstance(after, str) and after.startswith("${")):
        return
    if after is None:
        if not is_typed and name not in _MAY_BE_NULL:
            raise UserError(f"{key} must have a value, got null")
        return
    is_whole = isinstance(before, int) and not isinstance(before, bool)
    if is_whole and isinstance(after, float) and not is_typed and name not in _MAY_BE_A_SHARE:
        raise UserError(f"{key} must be a whole number, got {shown(after)}")
    for kind, kind_name in ((bool, "true or false"), ((int, float), "a number"), (str, "a text")):
        if isinstance(before, kind):
            fits = isinstance(after, kind) and (kind is bool or not isinstance(after, bool))
            if not fits:
                raise UserError(f"{key} must be {kind_name}, got {shown(after)}")
            return
    if isinstance(after, str | int | float):
        raise UserError(f"{key} must be a list or a group of keys, got {shown(after)}")


def shown(value: Any) -> str:
    """A value as a message shows it: on one line, cut after 60 characters."""
    text = "null" if value is None else repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _suggest(word: str, known: Sequence[str], prefix: str = "") -> str:
    close = get_close_matches(word, known, n=1, cutoff=0.6)
    if not close and "." not in word:
        close = [key for key in known if key.rpartition(".")[2] == word][:1]
    return f"; did you mean {prefix}{close[0]}?" if close else ""
