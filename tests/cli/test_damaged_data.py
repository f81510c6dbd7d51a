"""Data that are missing or damaged: the file is named in one line, exit code 2, before anything is written."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from calling import Kdrun
from PIL import Image


def _pictures(folder: Path, classes: tuple[str, ...]) -> None:
    for name in classes:
        (folder / name).mkdir(parents=True)
        for number in range(12):
            pixels = torch.full((8, 8, 3), 20 * number, dtype=torch.uint8)
            Image.fromarray(pixels.numpy()).save(folder / name / f"{number}.png")


def _one_class(root: Path) -> tuple[list[str], str]:
    _pictures(root / "data" / "photos", ("cats",))
    return ["dataset=image_folder", "dataset.source.folder=photos", "dataset.test_size=4"], "photos"


def _broken_picture(root: Path) -> tuple[list[str], str]:
    _pictures(root / "data" / "photos", ("cats", "dogs"))
    (root / "data" / "photos" / "dogs" / "3.png").write_bytes(b"\x89PNG no more")
    return ["dataset=image_folder", "dataset.source.folder=photos", "dataset.test_size=4"], "3.png"


def _broken_parquet(root: Path) -> tuple[list[str], str]:
    folder = root / "data" / "hub"
    folder.mkdir(parents=True)
    (folder / "train-00000-of-00001.parquet").write_bytes(b"PAR1 and nothing")
    (folder / "test-00000-of-00001.parquet").write_bytes(b"PAR1 and nothing")
    return ["dataset=parquet", "dataset.source.folder=hub"], "00000-of-00001.parquet"


def _broken_bytes_in_parquet(root: Path) -> tuple[list[str], str]:
    folder = root / "data" / "hub"
    folder.mkdir(parents=True)
    table = pa.table({"img": [{"bytes": b"no image", "path": "a.png"}] * 4, "label": [0, 1, 0, 1]})
    for part in ("train", "test"):
        pq.write_table(table, folder / f"{part}-00000-of-00001.parquet")
    return ["dataset=parquet", "dataset.source.folder=hub"], "00000-of-00001.parquet"


def _cut_idx(root: Path) -> tuple[list[str], str]:
    raw = root / "data" / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for name in ("train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1"):
        (raw / f"{name}-ubyte").write_bytes(b"\x00\x00\x08\x03\x00\x00")
    return ["dataset=mnist"], "idx"


@pytest.mark.parametrize("make", [_one_class, _broken_picture, _broken_parquet, _broken_bytes_in_parquet, _cut_idx])
def test_what_is_wrong_with_the_data_is_told_in_one_line(
    kdrun: Kdrun, tmp_path: Path, make: Callable[[Path], tuple[list[str], str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    overrides, named = make(tmp_path)
    ended = kdrun("distill", *overrides)
    assert ended.code == 2
    assert named in ended.err
    assert ended.err.startswith("Error: ")
    assert len(ended.err.splitlines()) == 1
    assert not (tmp_path / "outputs").exists()
