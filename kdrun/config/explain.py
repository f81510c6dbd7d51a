"""One line for every configuration mistake: what is wrong, and what to type instead."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from typing import Any

from kdrun.errors import UserError

_KINDS = {
    "Float": "a number",
    "Integer": "a whole number",
    "Boolean": "true or false",
    "String": "a text",
}


def unknown_key(key: str, known: Iterable[str]) -> UserError:
    """The error for a key that no configuration has."""
    return UserError(f"unknown key {key!r}{_suggest(key, list(known)) or '; `kdrun options` lists the groups'}")


def unknown_option(group: str, value: str, options: Sequence[str]) -> UserError:
    """The error for an option that no file of a group provides; `kd` suggests `response/kd`."""
    whole = [option for option in options if option.rpartition("/")[2] == value]
    hint = f"; did you mean {group}={whole[0]}?" if whole else _suggest(value, options, prefix=f"{group}=")
    return UserError(f"unknown {group} {value!r}{hint or f'; `kdrun options {group}` lists them'}")


def wrong_type(key: str, value: Any, message: str) -> UserError:
    """The error for a value of another type than the schema's, from OmegaConf's own message."""
    if "List" in message or "list" in message:
        return UserError(f"{key} must be a list, such as {key}=[0,1,2], got {shown(value)}")
    kind = next((text for name, text in _KINDS.items() if f"converted to {name}" in message), None)
    return UserError(f"{key} must be {kind or 'a group of keys, not one value'}, got {shown(value)}")


def like_before(key: str, before: Any, after: Any) -> None:
    """Refuses a text or a truth value where the file has a number, and the other way round (UserError)."""
    if before is None or after is None or (isinstance(after, str) and after.startswith("${")):
        return
    for kind, name in ((bool, "true or false"), ((int, float), "a number"), (str, "a text")):
        if isinstance(before, kind):
            fits = isinstance(after, kind) and (kind is bool or not isinstance(after, bool))
            if not fits:
                raise UserError(f"{key} must be {name}, got {shown(after)}")
            return
    if isinstance(after, str | int | float):
        raise UserError(f"{key} must be a list or a group of keys, got {shown(after)}")


def shown(value: Any) -> str:
    """A value as a message shows it: on one line, cut after 60 characters."""
    text = repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _suggest(word: str, known: Sequence[str], prefix: str = "") -> str:
    close = get_close_matches(word, known, n=1, cutoff=0.6)
    if not close and "." not in word:
        close = [key for key in known if key.rpartition(".")[2] == word][:1]
    return f"; did you mean {prefix}{close[0]}?" if close else ""
