"""What of a run's description identifies it: all that changes its result, and nothing else.

The description (`RunSpec.description`) has what is needed to build the run again. Descriptions with equal identities
are one run. An identity is a description but for this:

* Numbers: 4 and 4.0 are one, and so are -0.0 and 0. True is a boolean, "4" a text. The sizes of a split keep their
  type, because 1 is an example there and 1.0 a share.
* Places: values of a data set that say where its files lie are replaced by what the files hold (`dataset.places`).
* Neutral values: a key that has its value in `NEUTRAL` is left out, as if it had never been there.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

# A later version that adds a key adds it here as well, with the value under which all results stay as they were; then
# all older fingerprints stay. Entries are appended, and never changed or removed: tests/runs/test_identity.py.
#
# `recipe.ema`: a key whose meaning kdrun defines, by its path from a field of `RunSpec`; `*` is any one key or place.
# `kdrun.models.mlp.MLP:norm`: a number of one class, wherever a `_target_` names it. A bare path would not do for such:
# under another class the same key, left out, may stand for another value.
NEUTRAL: Mapping[str, Any] = MappingProxyType(
    {
        "train_size": None,
        "alpha": None,
        "label_weight": 1.0,
        "terms": {},
        "mode": None,
        "targets": {},
        "teacher_dtype": "fp32",
        "teacher": None,
        "starts_from": None,
        "made_of": [],
        "examples": {},
        "schedules": {},
        "code": {},
        "terms.*.weight": 1.0,
        "terms.*.warmup_epochs": 0,
        "terms.*.mix": False,
        "terms.*.label_weight": None,
    }
)

_TYPED = {("dataset", "test_size"), ("dataset", "validation_size")}


def identity(description: Mapping[str, Any]) -> dict[str, Any]:
    """The identity in a description, whose keys must be those of `RunSpec.description` alone."""
    parts = {field: identity_of(field, value) for field, value in description.items()}
    return {field: part for field, part in parts.items() if not _is_neutral((field,), part, None)}


def identity_of(field: str, value: Any) -> Any:
    """The identity in one field of a description."""
    with_content = field == "dataset" and isinstance(value, Mapping) and "places" in value
    return _canonical(_placed(value) if with_content else value, (field,))


def text(value: Any) -> str:
    """An identity, or part of one, as JSON: equal texts for equal values. Raises ValueError for NaN and infinity."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def digest(value: Any) -> str:
    """12 hexadecimal digits of the SHA-256 of an identity."""
    return hashlib.sha256(text(value).encode()).hexdigest()[:12]


def _placed(dataset: Mapping[str, Any]) -> dict[str, Any]:
    """A data set's description with the content of files in place of where they lie."""
    kept = {key: value for key, value in dataset.items() if key != "places"}
    return kept | {"source": _with_content(dataset["source"], dataset["places"], "")}


def _with_content(value: Any, places: Mapping[str, str | None], path: str) -> Any:
    if path in places:
        return places[path]
    if isinstance(value, Mapping):
        return {key: _with_content(one, places, f"{path}.{key}".lstrip(".")) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_with_content(one, places, f"{path}.{number}") for number, one in enumerate(value)]
    return value


def _canonical(value: Any, path: tuple[str, ...]) -> Any:
    if isinstance(value, Mapping):
        target = value.get("_target_")
        kept = {key: _canonical(one, (*path, key)) for key, one in value.items()}
        return {key: one for key, one in kept.items() if not _is_neutral((*path, key), one, target)}
    if isinstance(value, list | tuple):
        return [_canonical(one, (*path, "*")) for one in value]
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53 and path not in _TYPED:
        return int(value)
    return value


def _is_neutral(path: tuple[str, ...], value: Any, target: Any) -> bool:
    """Whether the table has a key with this value. target: the `_target_` beside it."""
    return any(
        text(value) == text(_canonical(neutral, path))
        for key, neutral in NEUTRAL.items()
        if (key == f"{target}:{path[-1]}" if ":" in key else _matches(key.split("."), path))
    )


def _matches(pattern: Sequence[str], path: Sequence[str]) -> bool:
    return len(pattern) == len(path) and all(one in ("*", key) for one, key in zip(pattern, path, strict=True))
