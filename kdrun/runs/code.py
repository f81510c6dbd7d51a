"""What users' own code and files put into a run's identity: the content of both, wherever it lies.

Nothing here imports a module. Imports are found by reading the text of a file, and files by looking along `sys.path`.
"""

from __future__ import annotations

import ast
import hashlib
import os
import re
import sys
from collections.abc import Iterator, Mapping
from functools import lru_cache
from importlib.machinery import BYTECODE_SUFFIXES, EXTENSION_SUFFIXES, SOURCE_SUFFIXES
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from kdrun.data.sources.folder import files_below
from kdrun.errors import UserError, is_users

# Their versions are recorded with the result, and their meaning does not change under a run's feet.
LIBRARIES = frozenset({"kdrun", "torch", "torchvision"})

# Fields of a spec whose values may name files; a data set's source has an identity of its own.
_NAMING_FILES = ("model", "terms", "mode", "recipe", "targets", "schedules")
_PATH_KEYS = ("folder", "path", "dir", "directory", "root", "file", "checkpoint", "ckpt", "weights")
MOST_FILES = 10_000  # of a folder
MOST_BYTES = 2**40  # of a file; the system's own files of no real size (/proc/kcore) have more

_SUFFIXES = (*EXTENSION_SUFFIXES, *SOURCE_SUFFIXES, *BYTECODE_SUFFIXES)  # in the order of Python's own search
ZOO = "kdrun.models.zoo.build"  # its weights are a library's


def digests(config: Any) -> dict[str, str]:
    """For each module that a `_target_` anywhere in a configuration names, outside of the libraries: its SHA-256.

    The digest is of the module's file and of all files of users' own that it imports, directly or not, by the names
    of their modules: where they lie does not matter. Not followed are imports in a file that cannot be parsed, and
    imports of what is not there; a module that is not there itself is left out. Making the object reports both.
    """
    modules = {target.rpartition(".")[0] for target in targets_in(config)}
    found = {module: _closure(module) for module in sorted(modules) if _top(module) not in LIBRARIES}
    return {module: _digest_of(sorted(files.items())) for module, files in found.items() if files}


def with_contents(description: Mapping[str, Any]) -> dict[str, Any]:
    """A run's description with what its values stand for in place of the values themselves, where that can change.

    * The name of a file (relative to the working folder, absolute, or with ~): the digest of its content. A folder is
      taken for one where the value or its key says so, with all files below it.
    * Weights of torchvision: what the name resolves to in the version that is installed.
    Raises UserError for a file that cannot be read, and for a folder with more than MOST_FILES files.
    """
    return {field: _of_field(value, field) if field in _NAMING_FILES else value for field, value in description.items()}


def file_of(module: str, *, on_path_only: bool = False) -> Path | None:
    """The file of a module; None where there is none, as for a namespace package. Nothing is imported.

    on_path_only: do not call what else finds modules, such as the hooks that `pip install -e` leaves.
    """
    places: list[str] = sys.path
    file = None
    for number, name in enumerate(parts := module.split(".")):
        found = _found(name, places) or (None if number or on_path_only else _registered(name))
        if found is None or (number + 1 < len(parts) and not found.below):
            return None
        file, places = found
    return file


def targets_in(config: Any) -> Iterator[str]:
    """Every `_target_` anywhere in a configuration."""
    if isinstance(config, Mapping):
        if isinstance(config.get("_target_"), str):
            yield config["_target_"]
        config = config.values()
    elif not isinstance(config, list | tuple):
        return
    for value in config:
        yield from targets_in(value)


def _top(module: str) -> str:
    return module.partition(".")[0]


class _Found(NamedTuple):
    """A module on the disk. below: folders with its submodules, empty where it is no package."""

    file: Path | None
    below: list[str]


def _found(name: str, places: list[str]) -> _Found | None:
    """A module in the first of these folders that has it, as Python's own search finds it; all that are namespaces."""
    namespace = []
    for place in places:
        folder = os.path.join(place or os.getcwd(), name)  # noqa: PTH109, PTH118 - some 20 lookups for each import
        for suffix in _SUFFIXES:
            if os.path.isfile(initial := os.path.join(folder, f"__init__{suffix}")):  # noqa: PTH113, PTH118
                return _Found(Path(initial), [folder])
        for suffix in _SUFFIXES:
            if os.path.isfile(folder + suffix):  # noqa: PTH113
                return _Found(Path(folder + suffix), [])
        if os.path.isdir(folder):  # noqa: PTH112
            namespace.append(folder)
    return _Found(None, namespace) if namespace else None


def _registered(name: str) -> _Found | None:
    """A top-level module that is not on the path: a working copy that `pip install -e` has registered."""
    try:
        spec = find_spec(name)
    except (ImportError, AttributeError, ValueError):
        return None
    if spec is None or spec.origin is None or not Path(spec.origin).is_file():
        return None
    return _Found(Path(spec.origin), list(spec.submodule_search_locations or []))


def _closure(module: str) -> dict[str, str]:
    """The digests of a module's file and of the users' own files that it imports, by module; empty if not there."""
    while module and file_of(module) is None:
        module = module.rpartition(".")[0]  # a class within a class
    files: dict[str, str] = {}
    left, seen = [module] if module else [], set[str]()
    while left:
        name = left.pop()
        if name in seen or _top(name) in LIBRARIES:
            continue
        seen.add(name)
        file = file_of(name)
        if file is None or not (name == module or is_users(str(file))):
            continue
        files[name] = digest_of_file(file)
        if is_users(str(file)):
            is_package = file.stem == "__init__"
            left += [one for imported in _imports(file, name, is_package) for one in _with_parents(imported)]
            left += _with_parents(name)[:-1]
    return files


def _with_parents(module: str) -> list[str]:
    """a, a.b and a.b.c of a.b.c: importing it runs all of them."""
    parts = module.split(".")
    return [".".join(parts[:count]) for count in range(1, len(parts) + 1)]


def _imports(file: Path, module: str, is_package: bool) -> tuple[str, ...]:
    package = module if is_package else module.rpartition(".")[0]
    return _imports_in(file, *_state(file), package) if file.suffix in SOURCE_SUFFIXES else ()


@lru_cache(maxsize=4096)
def _imports_in(file: Path, _size: int, _changed: int, package: str) -> tuple[str, ...]:
    """Full names of what may be modules in the import statements of a file, wherever in it they stand."""
    try:
        tree = ast.parse(file.read_bytes())
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return ()
    return tuple(dict.fromkeys(name for node in ast.walk(tree) for name in _imported(node, package)))


def _imported(node: ast.AST, package: str) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        base = _absolute("." * node.level + (node.module or ""), package)
        return [base, *(f"{base}.{alias.name}" for alias in node.names if alias.name != "*")] if base else []
    named = [one.value for one in node.keywords if one.arg == "name"] if isinstance(node, ast.Call) else []
    if isinstance(node, ast.Call) and (node.args or named):
        called = getattr(node.func, "attr", getattr(node.func, "id", None))
        first = (node.args or named)[0]
        if called in ("import_module", "__import__") and isinstance(first, ast.Constant):
            base = _absolute(first.value, package) if isinstance(first.value, str) else ""
            return [base] if base else []
    return []


def _absolute(name: str, package: str) -> str:
    """The full name of a relative import; empty where it leads out of all packages."""
    level = len(name) - len(name.lstrip("."))
    if level == 0:
        return name
    parts = package.split(".") if package else []
    base = parts[: len(parts) - level + 1]
    return ".".join([*base, name[level:]] if name[level:] else base) if base else ""


def digest_of_file(file: Path) -> str:
    """SHA-256 of a file's content, read once in a process for each size and time of change.

    Raises UserError where it cannot be read.
    """
    return _digest_in(file, *_state(file))


@lru_cache(maxsize=65536)
def _digest_in(file: Path, size: int, _changed: int) -> str:
    if size > MOST_BYTES:
        raise UserError(f"{file} is too large to be part of what a run is; name another file")
    if size == 0:  # a read of some of the system's own files would never end
        return hashlib.sha256().hexdigest()
    try:
        with file.open("rb") as content:
            return hashlib.file_digest(content, "sha256").hexdigest()
    except OSError as error:
        raise _unreadable(file, error) from error


def _state(file: Path) -> tuple[int, int]:
    try:
        state = file.stat()
    except OSError as error:
        raise _unreadable(file, error) from error
    return state.st_size, state.st_mtime_ns


def _unreadable(file: Path, error: OSError) -> UserError:
    return UserError(f"cannot read {file}: {error.strerror}; it is part of what the run is")


def _digest_of(listing: Any) -> str:
    return hashlib.sha256(repr(listing).encode()).hexdigest()


def _of_field(value: Any, field: str) -> Any:
    """The `name` of a whole model or mode is never a file's; that of a group within it may be."""
    resolved = _resolved(value, field)
    if isinstance(value, Mapping) and "name" in value:
        resolved["name"] = value["name"]
    return resolved


def _resolved(value: Any, key: str) -> Any:
    if isinstance(value, Mapping):
        resolved = {name: _resolved(one, name) for name, one in value.items()}
        if value.get("_target_") == ZOO and value.get("weights") is not None:
            from kdrun.models.zoo import resolved_weights  # takes torchvision's 2 s

            resolved["weights"] = resolved_weights(value.get("model"), value["weights"])
        return resolved
    if isinstance(value, list | tuple):
        return [_resolved(one, key) for one in value]
    is_text = isinstance(value, str) and value.strip("./~ ")  # "." or "/" would be everything there is
    content = _content(value, key) if is_text and key != "_target_" else None
    return value if content is None else {"content": content}


def _content(value: str, key: str) -> str | None:
    """The digest of the file or folder that a text names; None where it names none."""
    try:
        path = Path(value).expanduser().absolute()  # a change of the working folder is another file
        # `relu` is a word, whatever lies in the working folder; `net.pt` and `nets/net` name files.
        may_be_file, may_be_folder = (key in _PATH_KEYS or re.search(marks, value) for marks in (r"[/\\.]", r"[/\\]"))
        if may_be_file and path.is_file():
            return digest_of_file(path)
        if may_be_folder and path.is_dir():
            return _digest_of_folder(path)
    except (RuntimeError, ValueError):  # no such home; a zero byte
        return None
    except OSError as error:
        if isinstance(error, PermissionError):
            raise _unreadable(Path(value), error) from error
        return None  # no name that a file could have
    return None


def _digest_of_folder(folder: Path) -> str:
    paths = list(islice(files_below(folder), MOST_FILES + 1))
    if len(paths) > MOST_FILES:
        raise UserError(f"{folder} has more than {MOST_FILES:,} files; name a folder with those that are needed")
    return _digest_of(sorted((path.relative_to(folder).as_posix(), digest_of_file(path)) for path in paths))
