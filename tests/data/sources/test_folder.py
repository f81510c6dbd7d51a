from __future__ import annotations

from pathlib import Path

import pytest

from kdrun.data.sources.folder import digest, find
from kdrun.errors import UserError


def write(path: Path, content: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    return path


def test_a_folder_is_found_under_the_data_root_or_by_its_absolute_path(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    assert find(tmp_path, "mine") == find(Path("nowhere"), str(tmp_path / "mine")) == tmp_path / "mine"


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=f"^there is no folder {tmp_path}/mine; say dataset.source.folder=DIR"):
        find(tmp_path, "mine")


def test_a_copy_elsewhere_has_the_same_digest(tmp_path: Path) -> None:
    digests = []
    for root in (tmp_path / "a", tmp_path / "b"):
        digests.append(digest([write(root / "x" / "1.png", "11"), write(root / "2.png", "2")], root))
    assert digests[0] == digests[1]


@pytest.mark.parametrize(("name", "content"), [("x/1.png", "123"), ("x/2.png", "12")])
def test_another_size_or_name_has_another_digest(tmp_path: Path, name: str, content: str) -> None:
    one = digest([write(tmp_path / "a" / "x" / "1.png", "12")], tmp_path / "a")
    assert digest([write(tmp_path / "b" / name, content)], tmp_path / "b") != one
