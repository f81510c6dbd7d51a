"""Where an error was raised, in one line."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest

from kdrun.errors import where
from kdrun.models.checks import require_count

MODULE = """
import json


def fails(width):
    raise ValueError(f"bad width\\n  {width}")


def in_the_standard_library(text):
    return json.loads(text)


def in_torch():
    import torch

    return torch.nn.Linear(2, 3)(torch.zeros(1, 5))


def silent():
    raise KeyError
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> object:
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(sys.modules, "my_errors", raising=False)
    (tmp_path / "my_errors.py").write_text(MODULE)
    return importlib.import_module("my_errors")


def _where(module: object, name: str, *args: object) -> str:
    with pytest.raises(Exception) as raised:  # noqa: PT011
        getattr(module, name)(*args)
    return where(raised.value)


def test_the_users_line_stands_behind_type_and_message(module: object) -> None:
    assert _where(module, "fails", 3) == "ValueError: bad width 3 (my_errors.py:6)"


@pytest.mark.parametrize(("name", "args", "line"), [("in_the_standard_library", ["{"], 10), ("in_torch", [], 16)])
def test_the_users_frame_is_named_where_a_library_raised_the_error(
    module: object, name: str, args: list[object], line: int
) -> None:
    assert _where(module, name, *args).endswith(f"(my_errors.py:{line})")


def test_an_error_without_a_message_is_named_by_its_type(module: object) -> None:
    assert _where(module, "silent") == "KeyError (my_errors.py:20)"


def test_a_file_outside_of_the_working_folder_is_named_in_full(
    module: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert _where(module, "fails", 3).endswith(f"({tmp_path / 'my_errors.py'}:6)")


def test_without_a_users_frame_it_is_kdruns_innermost() -> None:
    with pytest.raises(Exception) as raised:  # noqa: PT011
        require_count("widths", 0)
    assert where(raised.value).startswith("UserError: widths must be")
    assert "kdrun/models/checks.py:" in where(raised.value)


def test_a_syntax_error_is_at_the_line_that_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my_typo.py").write_text("x = 1\ndef f(:\n")
    with pytest.raises(SyntaxError) as raised:
        importlib.import_module("my_typo")
    assert where(raised.value) == "SyntaxError: invalid syntax (my_typo.py:2)"


def test_a_long_message_is_cut() -> None:
    assert where(ValueError("x" * 1000)) == f"ValueError: {'x' * 297}..."
