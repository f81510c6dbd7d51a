from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from kdrun.data import Images
from kdrun.data.sources.parquet import Parquet
from kdrun.errors import UserError

IMAGE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])


def source(
    *,
    image_column: str | None = None,
    label_column: str | None = None,
    image_size: int | None = None,
    channels: int | None = None,
) -> Parquet:
    return Parquet(
        folder="set",
        image_column=image_column,
        label_column=label_column,
        image_size=image_size,
        channels=channels,
    )


def png(level: int, size: int = 4) -> bytes:
    file = BytesIO()
    Image.new("L", (size, size), level).save(file, "PNG")
    return file.getvalue()


def write(
    root: Path,
    name: str,
    labels: Sequence[int | None],
    *,
    images: Sequence[bytes | None] | None = None,
    names: list[str] | None = None,
    **more: Sequence[object],
) -> Path:
    """A file whose image n is grey with level n, unless other images are given."""
    path = root / "set" / name
    path.parent.mkdir(exist_ok=True)
    encoded = [png(level) for level in range(len(labels))] if images is None else images
    cells = [data and {"bytes": data, "path": None} for data in encoded]
    table = pa.table({"picture": pa.array(cells, IMAGE), "kind": pa.array(labels, pa.int64()), **more})
    if names:
        described = {"info": {"features": {"kind": {"names": names, "_type": "ClassLabel"}}}}
        table = table.replace_schema_metadata({"huggingface": json.dumps(described)})
    pq.write_table(table, path)
    return path


def decode(part: Images | None) -> None:
    assert part is not None
    part.images.decoded(threads=1)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write(tmp_path, "train-00000-of-00002.parquet", [0, 1, 0], names=["cat", "dog"])
    write(tmp_path, "train-00001-of-00002.parquet", [1], names=["cat", "dog"])
    write(tmp_path, "test-00000-of-00001.parquet", [1, 0], names=["cat", "dog"])
    return tmp_path


def test_the_files_of_each_part_are_joined_in_order(root: Path) -> None:
    raw = source().load(root)
    assert raw.train.images.shape == (4, 1, 4, 4)
    assert raw.train.images.decoded(threads=1)[:, 0, 0, 0].tolist() == [0, 1, 2, 0]
    assert raw.train.labels.tolist() == [0, 1, 0, 1]
    assert raw.test is not None
    assert raw.test.labels.tolist() == [1, 0]
    assert raw.class_names == ("cat", "dog")


def test_without_names_in_the_metadata_classes_are_called_by_number(tmp_path: Path) -> None:
    write(tmp_path, "train-0.parquet", [0, 2, 1])
    raw = source().load(tmp_path)
    assert raw.class_names == ("0", "1", "2")
    assert raw.test is None


def test_a_validation_part_stands_in_for_a_missing_test_part(root: Path) -> None:
    (root / "set" / "test-00000-of-00001.parquet").rename(root / "set" / "validation-0.parquet")
    raw = source().load(root)
    assert raw.test is not None
    assert raw.test.labels.tolist() == [1, 0]


def test_size_and_channels_are_as_asked_for(root: Path) -> None:
    assert source(image_size=6, channels=3).load(root).train.images.shape == (4, 3, 6, 6)


def test_images_of_two_sizes_need_an_image_size(root: Path) -> None:
    path = write(root, "test-00000-of-00001.parquet", [0, 1], images=[png(1), png(2, size=5)])
    with pytest.raises(UserError, match=f"row 1 of {path} is 5x5 pixels .* dataset.source.image_size=4"):
        decode(source().load(root).test)
    assert source(image_size=4).load(root).test is not None


def test_a_label_column_is_chosen_by_name_where_there_are_several(tmp_path: Path) -> None:
    write(tmp_path, "train-0.parquet", [0, 1], coarse=[1, 0])
    with pytest.raises(UserError, match=r"has 2 label columns; say .*label_column=NAME with one of kind, coarse"):
        source().load(tmp_path)
    assert source(label_column="coarse").load(tmp_path).train.labels.tolist() == [1, 0]


def test_a_column_that_is_not_there_is_named(root: Path) -> None:
    with pytest.raises(UserError, match=r"has no image column photo; say .* with one of picture"):
        source(image_column="photo").load(root)


def test_a_damaged_file_is_named(root: Path) -> None:
    path = root / "set" / "train-00001-of-00002.parquet"
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(UserError, match=f"^{path} is damaged"):
        source().load(root)


def test_a_file_with_damaged_pages_is_named(root: Path) -> None:
    path = root / "set" / "train-00000-of-00002.parquet"
    content = path.read_bytes()
    path.write_bytes(content[:4] + b"\xff" * 60 + content[64:])
    with pytest.raises(UserError, match=f"^{path} is damaged"):
        source().load(root)


def test_an_unreadable_image_is_named_by_row_and_file(root: Path) -> None:
    path = write(root, "test-00000-of-00001.parquet", [0, 1], images=[png(1), b"broken"])
    with pytest.raises(UserError, match=f"^row 1 of {path} cannot be read"):
        decode(source().load(root).test)


@pytest.mark.parametrize(
    ("labels", "images"), [([0, None], [png(0), png(1)]), ([0, 1], [png(0), None])], ids=["label", "image"]
)
def test_rows_without_image_or_label_are_refused(
    root: Path, labels: list[int | None], images: list[bytes | None]
) -> None:
    path = write(root, "test-00000-of-00001.parquet", labels, images=images)
    with pytest.raises(UserError, match=f"^{path} has rows without"):
        source().load(root)


@pytest.mark.parametrize("label", [-1, 2])
def test_a_label_without_a_class_is_named(root: Path, label: int) -> None:
    path = write(root, "test-00000-of-00001.parquet", [0, label])
    with pytest.raises(UserError, match=f"^{path} has the label {label}, .* 0 to 1"):
        source().load(root)


@pytest.mark.parametrize(
    ("labels", "message"),
    [([0, 0], r"one class only \(0\)"), ([], "has no rows"), ([-1, -1], "has the label -1")],
)
def test_a_training_part_without_two_classes_is_refused(tmp_path: Path, labels: list[int], message: str) -> None:
    write(tmp_path, "train-0.parquet", labels)
    with pytest.raises(UserError, match=message):
        source().load(tmp_path)


def test_a_folder_without_training_files_is_named(tmp_path: Path) -> None:
    write(tmp_path, "data.parquet", [0, 1])
    with pytest.raises(UserError, match=f"^{tmp_path}/set has no train-"):
        source().identity(tmp_path)


def test_another_file_changes_the_identity(root: Path) -> None:
    before = source().identity(root)
    (root / "set" / "README.md").write_text("")
    assert source().identity(root) == before
    write(root, "train-00001-of-00002.parquet", [1, 1, 1, 0])
    assert source().identity(root) != before


def test_without_pyarrow_the_extra_is_named(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    with pytest.raises(UserError, match=r"pip install 'kdrun\[parquet\]'"):
        source().load(root)


@pytest.mark.parametrize(("image_size", "channels", "key"), [(0, None, "image_size"), (None, 2, "channels")])
def test_sizes_and_channels_out_of_range_are_refused(image_size: int | None, channels: int | None, key: str) -> None:
    with pytest.raises(UserError, match=rf"dataset.source.{key} must be"):
        source(image_size=image_size, channels=channels)


def test_it_holds_as_many_examples_as_it_says(tmp_path: Path) -> None:
    write(tmp_path, "train-0.parquet", [0, 1, 0])
    write(tmp_path, "train-1.parquet", [1, 1])
    write(tmp_path, "test-0.parquet", [1])
    assert source().examples(tmp_path) == len(source().load(tmp_path).train.labels) == 5


def test_a_damaged_file_is_named_where_examples_are_counted(tmp_path: Path) -> None:
    path = write(tmp_path, "train-0.parquet", [0, 1])
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(UserError, match=r"train-0\.parquet is damaged or no parquet file; replace it"):
        source().examples(tmp_path)
