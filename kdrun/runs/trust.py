"""Which objects the `spec.json` files of a store may name: a store may come from anybody, and what it names is called.

Allowed are, each at its place (a model's as a model, an optimiser's as an optimiser): the exact `_target_`s of kdrun's
own conf/ and plans, those that the user has typed in full or has in a folder of --config-dir, and classes that are
defined in a module that the user trusts. All names are judged as texts before anything is imported or looked up. A list
of allowed prefixes would be open: `torch.nn.parallel.distributed.os.getpid` is within torch.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import FunctionType
from typing import Any

from kdrun.config import files
from kdrun.config.explain import shown
from kdrun.errors import UserError, is_users, where
from kdrun.runs.code import LIBRARIES, file_of
from kdrun.runs.shapes import check_shapes

# Where a spec names an object; `*` is any key or number. `part`: what a user's own class is given as an object.
_PLACES = {
    ("model",): "model",
    ("model", "members", "*"): "model",
    ("dataset", "source"): "source",
    ("recipe", "optimizer"): "optimizer",
    ("recipe", "schedule"): "schedule",
    ("terms", "*"): "term",
    ("mode",): "mode",
    ("targets",): "targets",
    ("schedules", "*"): "course",
}
_PART = "part"

# The same in a file of conf/, by its group and keys.
_PLACES_IN_CONF = {
    ("model",): "model",
    ("dataset", "source"): "source",
    ("train", "*", "optimizer"): "optimizer",
    ("train", "*", "schedule"): "schedule",
    ("knowledge",): "term",
    ("mode", "trains"): "mode",
    ("controls", "targets"): "targets",
    ("controls", "knowledge", "*"): "term",
    ("alpha_schedule",): "course",
    ("tau_schedule",): "course",
}

# What kdrun's plans write into specs without a file of conf/ (a test compares them with kdrun/plans), and what may be
# typed beside conf/.
_NOT_IN_CONF = {
    ("model", "kdrun.models.cohort.member"),
    ("model", "kdrun.models.committee.Committee"),
    ("model", "kdrun.models.ensemble.Ensemble"),
    ("model", "kdrun.models.offset.Offset"),
    ("model", "kdrun.models.specialist.Specialist"),
    ("mode", "kdrun.modes.specialising.Specialising"),
    ("schedule", "kdrun.training.schedules.constant"),
    ("schedule", "kdrun.training.schedules.cosine"),
    ("optimizer", "torch.optim.Adadelta"),
    ("optimizer", "torch.optim.Adagrad"),
    ("optimizer", "torch.optim.Adam"),
    ("optimizer", "torch.optim.Adamax"),
    ("optimizer", "torch.optim.ASGD"),
    ("optimizer", "torch.optim.NAdam"),
    ("optimizer", "torch.optim.RAdam"),
    ("optimizer", "torch.optim.RMSprop"),
    ("optimizer", "torch.optim.Rprop"),
}

_CALLED = {  # in messages
    "model": "a network",
    "source": "a data source",
    "optimizer": "an optimiser",
    "schedule": "a learning-rate schedule",
    "term": "a knowledge term",
    "mode": "a mode",
    "targets": "a substitute for a teacher",
    "course": "a schedule of alpha or tau",
    _PART: "part of another object",
}


@dataclass(frozen=True)
class Trust:
    """What of a store's specs may be called beside kdrun's own objects; nothing unless it is given.

    modules: whose classes may be named. names: `_target_`s that may be named as they stand, classes or functions, each
    with its place, or with None for any.
    """

    modules: frozenset[str] = frozenset()
    names: frozenset[tuple[str | None, str]] = frozenset()

    @classmethod
    def of(cls, trusted: Sequence[str], config_dirs: Sequence[Path] = ()) -> Trust:
        """trusted: of --trust, modules or the full names of classes. config_dirs: what their files name is trusted.

        Files that cannot be read name nothing. Raises UserError for a name that is none or is of the standard library,
        and for a folder that is not there.
        """
        for name in trusted:
            _check_name(name)
        in_files = [one for root in config_dirs for one in _named_in(root)]
        modules = {name.rpartition(".")[0] for _, name in in_files}
        own = {module for module in modules if module and _top(module) not in LIBRARIES | sys.stdlib_module_names}
        placed = {(place, name) for place, name in in_files if place is not None}
        return cls(frozenset([*trusted, *own]), frozenset([*((None, name) for name in trusted), *placed]))

    def check(self, described: Any, path: Path) -> None:
        """Judges all that a spec read from `path` names, before any of it is used.

        Raises UserError: what must not be called, or what is no description of a run.
        """
        check_shapes(described, path)
        found = list(_targets(described, ()))
        for keys, target in found:
            if refusal := self._refusal(_place(keys, _PLACES), keys, target):
                raise UserError(f"{path}: {refusal}")
        for keys, target in found:
            place = _place(keys, _PLACES)
            assert place is not None
            if (place, target) not in kdruns_own() and (reason := self._misfit(place, target)):
                raise UserError(f"{path}: {shown(target)} cannot be {_CALLED[place]}: {reason}")

    def _refusal(self, place: str | None, keys: Sequence[str], target: Any) -> str | None:
        """Why this must not even be imported; None where it may."""
        if place is None:
            return f"{shown('.'.join(keys))} names an object, where none belongs"
        if not isinstance(target, str) or not _is_dotted(target):
            return f"_target_ must be the dotted name of a class, got {shown(target)}"
        if (place, target) in kdruns_own() or self._has(place, target) or self._module(target):
            return None
        return f"it names {shown(target)} as {_CALLED[place]}, and {_advice(target)}"

    def _has(self, place: str, target: str) -> bool:
        return bool({(None, target), (place, target)} & self.names)

    def _module(self, target: str) -> str | None:
        """The longest trusted module that a name begins with."""
        return max((one for one in self.modules if target.startswith(f"{one}.")), key=len, default=None)

    def _misfit(self, place: str, target: str) -> str | None:
        """Imports what the user trusts; returns why it cannot stand at a place, None where it can."""
        module = self._module(target)
        if self._has(place, target):
            named = _object_at(target)
            if isinstance(named, FunctionType) and place in ("model", "schedule", "course"):
                return None
        elif module is not None:
            named = _defined_in(module, target)
            if isinstance(named, FunctionType) and place not in ("schedule", "course"):
                return f"of a function the full name is needed; add --trust {target} if you trust what it does"
        if not isinstance(named, type | FunctionType):
            place_of = module or target.rpartition(".")[0]
            return f"{place_of} itself defines no class of this name; add --trust with the class's full name"
        needed, fits = _FITS.get(place, ("", None))
        return f"it must {needed}" if fits and not fits(named) else None


def _targets(value: Any, keys: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every `_target_` in a configuration, with the keys of the mapping that has it."""
    if isinstance(value, Mapping):
        if "_target_" in value:
            yield keys, value["_target_"]
        for key, one in value.items():
            yield from _targets(one, (*keys, str(key)))
    elif isinstance(value, list):
        for number, one in enumerate(value):
            yield from _targets(one, (*keys, str(number)))


def _place(keys: Sequence[str], places: Mapping[tuple[str, ...], str]) -> str | None:
    """What an object under these keys is: `part` below another object's keys, None where there is no object."""
    matching = [pattern for pattern in places if _begins(keys, pattern)]
    if not matching:
        return None
    longest = max(matching, key=len)
    return places[longest] if len(longest) == len(keys) else _PART


def _begins(keys: Sequence[str], pattern: Sequence[str]) -> bool:
    return len(keys) >= len(pattern) and all(one in ("*", key) for one, key in zip(pattern, keys, strict=False))


@cache
def kdruns_own() -> frozenset[tuple[str | None, str]]:
    """The `_target_`s of kdrun's own conf/ and plans, each with its place."""
    return frozenset([*(one for one in _named_in(files.conf_dir()) if one[0] is not None), *_NOT_IN_CONF])


def _named_in(root: Path) -> list[tuple[str | None, str]]:
    """The `_target_`s of the YAML files of a folder, each with its place; None where a spec has no such place."""
    return [
        (None if place == _PART else place, target)
        for group, content in files.contents(root)
        for keys, target in _targets(content, (group,))
        if isinstance(target, str)
        for place in [_place(keys, _PLACES_IN_CONF)]
    ]


def _is_dotted(name: str) -> bool:
    return "." in name and all(part.isidentifier() for part in name.split("."))


def _check_name(name: str) -> None:
    if not all(part.isidentifier() for part in name.split(".")):
        raise UserError(f"--trust takes the name of a module, such as my_module, got {shown(name)}")
    if _top(name) in sys.stdlib_module_names:
        raise UserError(f"--trust {name}: that is Python's own and can do anything; name a module of yours")


def _advice(target: str) -> str:
    """What to type where that is sensible: for a file of the user's own. Nothing is imported."""
    module = target.rpartition(".")[0]
    while module and _top(module) not in LIBRARIES:
        file = file_of(module, on_path_only=True)
        if file is not None:
            if not is_users(str(file)):
                break
            return (
                f"a store may come from anybody; if you trust {file}, add --trust {module}, or --config-dir DIR "
                "with the files that name it"
            )
        module = module.rpartition(".")[0]
    return "kdrun has no such object there; if it is of a library that you use, add --trust with its full name"


def _top(name: str) -> str:
    return name.partition(".")[0]


def _object_at(target: str) -> Any:
    """What a name that the user has typed in full leads to; None where it leads nowhere."""
    module, _, name = target.rpartition(".")
    return getattr(_import(module), name, None) if module else None


def _defined_in(module: str, target: str) -> Any:
    """The class or function with this name that the module itself defines; None where there is none.

    It is looked up in dictionaries: nothing that the module has imported is followed.
    """
    named: Any = _import(module)
    for number, name in enumerate(path := target.removeprefix(f"{module}.").split("."), start=1):
        named = vars(named).get(name)
        own = isinstance(named, type | FunctionType)
        if not own or (named.__module__, named.__qualname__) != (module, ".".join(path[:number])):
            return None
        if isinstance(named, FunctionType) and number < len(path):
            return None
    return named


def _import(module: str) -> Any:
    try:
        return importlib.import_module(module)
    except Exception as error:
        raise UserError(f"cannot import {module}, which you trust: {where(error)}") from error


def _is_network(named: Any) -> bool:
    from torch import nn

    return isinstance(named, type) and issubclass(named, nn.Module)


def _is_optimizer(named: Any) -> bool:
    from torch.optim import Optimizer

    return isinstance(named, type) and issubclass(named, Optimizer)


def _has(*methods: str) -> Callable[[Any], bool]:
    return lambda named: isinstance(named, type) and all(callable(getattr(named, one, None)) for one in methods)


def _is_called(named: Any) -> bool:
    return isinstance(named, type) and any("__call__" in vars(base) for base in named.__mro__)


_FITS: Mapping[str, tuple[str, Callable[[Any], bool]]] = {
    "model": ("be a subclass of torch.nn.Module", _is_network),
    "source": ("be a class with the methods identity and load", _has("identity", "load")),
    "optimizer": ("be a subclass of torch.optim.Optimizer", _is_optimizer),
    "term": ("be a class whose objects can be called", _is_called),
    "mode": ("be a class with the method losses", _has("losses")),
    "targets": ("be a class with the method signals", _has("signals")),
    _PART: ("be a class", lambda named: isinstance(named, type)),
}
