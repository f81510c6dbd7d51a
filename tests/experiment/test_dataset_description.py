"""What of a data set identifies it, and how large its training part is, before anything is loaded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kdrun.errors import UserError
from kdrun.experiment.build import dataset_description, training_examples
from kdrun.runs.identity import identity_of


def _config(kind: str, **values: Any) -> dict[str, Any]:
    sizes = {"test_size": None, "validation_size": 0}
    source = {"_target_": f"my_sources.{kind}"}
    return {"name": "mine", "source": source | values, "train_size": 5, "omit": [], **sizes}


def _identity(data_root: Path, kind: str, **values: Any) -> Any:
    return identity_of("dataset", dataset_description(_config(kind, **values), data_root))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A data root with two files of the same text, one of another, and folders of them."""
    for name, content in {"a.txt": "same", "b.txt": "same", "c.txt": "other!", "d/x.txt": "1", "e/x.txt": "1"}.items():
        path = tmp_path / "data" / name
        path.parent.mkdir(exist_ok=True, parents=True)
        path.write_text(content)
    (tmp_path / "data" / "empty").mkdir()
    return tmp_path / "data"


@pytest.mark.parametrize("kind", ["Undeclared", "Declared"])
def test_a_file_is_known_by_what_it_holds_wherever_it_lies(root: Path, kind: str) -> None:
    here = _identity(root, kind, files="a.txt")
    assert here == _identity(root, kind, files="b.txt") == _identity(Path("/"), kind, files=str(root / "a.txt"))
    assert here != _identity(root, kind, files="c.txt")


def test_a_folder_and_a_list_of_files_are_known_by_what_they_hold(root: Path) -> None:
    assert _identity(root, "Undeclared", files="d") == _identity(root, "Undeclared", files="e")
    assert _identity(root, "Undeclared", files={"in": ["d", "c.txt"]}) == _identity(
        root, "Undeclared", files={"in": ["e", "c.txt"]}
    )
    assert _identity(root, "Undeclared", files=["d", "c.txt"]) != _identity(root, "Undeclared", files=["d", "a.txt"])
    (root / "e" / "y.txt").write_text("")
    assert _identity(root, "Undeclared", files="d") != _identity(root, "Undeclared", files="e")


@pytest.mark.parametrize("value", ["nearest", "empty", ".", "/", "~", "..", "x" * 5000, "a\0b", "~nobody/x"])
def test_a_text_that_names_no_content_stays_a_text(root: Path, value: str) -> None:
    described = dataset_description(_config("Undeclared", files=value), root)
    assert "places" not in described
    assert identity_of("dataset", described)["source"]["files"] == value


def test_the_description_keeps_the_place_and_leaves_out_what_each_role_takes(root: Path) -> None:
    described = dataset_description(_config("Declared", files="a.txt"), root)
    assert described["source"]["files"] == "a.txt"
    assert (described["places"], described["content"]) == ({"files": None}, {"bytes": 4})
    assert not {"train_size", "omit"} & described.keys()


@pytest.mark.parametrize(
    ("test_size", "validation_size", "left"), [(None, 0, 100), (20, 10, 70), (0.25, 0.1, 65), (None, 0.005, 100)]
)
def test_the_training_part_is_what_the_others_leave(test_size: Any, validation_size: Any, left: int) -> None:
    config = _config("Counted", total=100) | {"test_size": test_size, "validation_size": validation_size}
    assert training_examples(config, Path("nowhere")) == left


def test_a_source_that_cannot_count_is_not_asked() -> None:
    assert training_examples(_config("Undeclared", files="a.txt"), Path("nowhere")) is None


@pytest.mark.parametrize("test_size", [1.0, 100, -1])
def test_sizes_that_do_not_fit_are_refused_as_where_the_data_are_split(test_size: Any) -> None:
    with pytest.raises(UserError, match=r"dataset.test_size must be a number of examples from 1 to 99 \(there are 100"):
        training_examples(_config("Counted", total=100) | {"test_size": test_size}, Path("nowhere"))
