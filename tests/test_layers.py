"""Imports go down only, and light commands stay light."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "kdrun"

# Each layer may import the ones above it in this list, itself, and never a sibling of its own line.
LAYERS = (
    {"errors", "signals", "seeding", "pages"},
    {"knowledge", "models", "data", "metrics", "config"},
    {"teachers"},
    {"modes"},
    {"training", "runs"},
    {"experiment"},
    {"plans", "reports", "executors"},
    {"cli"},
)
LEVEL = {name: level for level, names in enumerate(LAYERS) for name in names}


def _imports(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = [node.module] if isinstance(node, ast.ImportFrom) and node.module else []
        names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        found |= {name.split(".")[1] for name in names if name and name.startswith("kdrun.")}
    return found


def _modules() -> list[Path]:
    return [path for path in sorted(PACKAGE.rglob("*.py")) if path.parent != PACKAGE or path.stem in LEVEL]


@pytest.mark.parametrize("path", _modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_module_imports_lower_layers_only(path: Path) -> None:
    own = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    for imported in _imports(path) - {own}:
        assert LEVEL[imported] < LEVEL[own], f"{own} imports {imported}"


def _modules_after(*arguments: str) -> set[str]:
    code = (
        "import sys\nfrom kdrun.cli import main\n"
        f"try: main({list(arguments)!r})\nexcept SystemExit: pass\n"
        "print(*sys.modules, file=sys.stderr)"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return {name.partition(".")[0] for name in ended.stderr.splitlines()[-1].split()}


@pytest.mark.parametrize("arguments", [("--help",), ("distill", "--help"), ("options",), ("--version",)])
def test_help_imports_neither_torch_nor_pandas_nor_hydra(arguments: tuple[str, ...]) -> None:
    assert not {"torch", "pandas", "hydra", "omegaconf", "matplotlib", "rich"} & _modules_after(*arguments)


def test_a_mistyped_override_is_answered_without_torch_and_pandas() -> None:
    assert not {"torch", "pandas", "matplotlib"} & _modules_after("distill", "taau=4")


def test_only_two_modules_touch_hydras_compose_and_instantiate() -> None:
    using = {
        word: {str(path.relative_to(PACKAGE)) for path in _modules() if word in path.read_text(encoding="utf-8")}
        for word in ("from hydra import compose", "import instantiate")
    }
    assert using == {
        "from hydra import compose": {"config/compose.py"},
        "import instantiate": {"experiment/build.py"},
    }
