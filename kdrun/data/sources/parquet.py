"""Data sets in the parquet layout of the Hugging Face hub: image bytes and labels."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from kdrun.data import Images, RawData
from kdrun.data.sources.decode import Encoded, encoded
from kdrun.data.sources.folder import digest, find
from kdrun.errors import UserError


@dataclass(frozen=True, kw_only=True)
class Parquet:
    """Images in `folder/train-*.parquet` and `folder/test-*.parquet`.

    Where there is no test part, `validation-*` stands in for it. The images stay in memory as they are stored.

    folder: absolute or under the data root.
    image_column: a struct with a field `bytes`; None where there is only one.
    label_column: whole numbers, class indices; None where there is only one such column.
    image_size: the shorter side is resized to it and the centre cut out; None where all have one size.
    channels: 1 (grey) or 3 (RGB); None takes what the first image has.
    """

    places: ClassVar[tuple[str, ...]] = ("folder",)

    folder: str
    image_column: str | None
    label_column: str | None
    image_size: int | None
    channels: int | None

    def __post_init__(self) -> None:
        if self.image_size is not None and self.image_size < 1:
            raise UserError(f"dataset.source.image_size must be >= 1 or null, got {self.image_size}")
        if self.channels not in (None, 1, 3):
            raise UserError(f"dataset.source.channels must be 1 (grey), 3 (RGB) or null, got {self.channels}")

    def identity(self, data_root: Path) -> Mapping[str, str | int]:
        folder = find(data_root, self.folder)
        train, test = _files(folder)
        return {"files_sha256": digest([*train, *test], folder)}

    def examples(self, data_root: Path) -> int:
        train, _ = _files(find(data_root, self.folder))
        return sum(map(_rows, train))

    def load(self, data_root: Path) -> RawData:
        import torch

        train_files, test_files = _files(find(data_root, self.folder))
        tables = [self._read(path) for path in (*train_files, *test_files)]
        count = sum(len(table.labels) for table in tables[: len(train_files)])
        labels = torch.tensor([label for table in tables for label in table.labels], dtype=torch.int64)
        if count == 0:
            raise UserError(f"{train_files[0]} has no rows; replace it")
        names = tables[0].class_names or tuple(str(k) for k in range(int(labels[:count].max()) + 1))
        _check_labels(tables, names)
        items = [item for table in tables for item in table.items]
        images = encoded(items, channels=self.channels, image_size=self.image_size)
        test = Images(images[count:], labels[count:]) if len(labels) > count else None
        return RawData(Images(images[:count], labels[:count]), test, names)

    def _read(self, path: Path) -> _Table:
        pa = _pyarrow()
        try:
            file = pa.parquet.ParquetFile(path)
            schema = file.schema_arrow
            images = _pick("image", self.image_column, [f.name for f in schema if _is_image(f.type)], path)
            integers = [f.name for f in schema if pa.types.is_integer(f.type)]
            label = _pick("label", self.label_column, integers, path)
            table = file.read(columns=[images, label])
        except (pa.ArrowException, OSError) as error:
            raise _damaged(path) from error
        encoded = [data for chunk in table[images].chunks for data in chunk.field("bytes").to_pylist()]
        if None in encoded or table[label].null_count:
            raise UserError(f"{path} has rows without image bytes or label; remove them")
        items = [Encoded(f"row {row} of {path}", data) for row, data in enumerate(encoded)]
        return _Table(path, items, table[label].to_pylist(), _class_names(schema.metadata, label))


@dataclass(frozen=True)
class _Table:
    path: Path
    items: Sequence[Encoded]
    labels: Sequence[int]
    class_names: tuple[str, ...]


def _pyarrow() -> Any:
    try:
        import pyarrow.parquet
    except ImportError as error:
        raise UserError("parquet files need pyarrow: pip install 'kdrun[parquet]'") from error
    return pyarrow


def _rows(path: Path) -> int:
    """As the file's footer says."""
    pa = _pyarrow()
    try:
        return int(pa.parquet.read_metadata(path).num_rows)
    except (pa.ArrowException, OSError) as error:
        raise _damaged(path) from error


def _damaged(path: Path) -> UserError:
    return UserError(f"{path} is damaged or no parquet file; replace it")


def _files(folder: Path) -> tuple[list[Path], list[Path]]:
    train, test, validation = (sorted(folder.glob(f"{part}-*.parquet")) for part in ("train", "test", "validation"))
    if not train:
        raise UserError(f"{folder} has no train-*.parquet; say dataset.source.folder=DIR for the folder that has")
    return train, test or validation


def _is_image(column: Any) -> bool:
    return bool(_pyarrow().types.is_struct(column)) and column.get_field_index("bytes") >= 0


def _pick(kind: str, wanted: str | None, there: list[str], path: Path) -> str:
    if wanted in there:
        return wanted
    if wanted is None and len(there) == 1:
        return there[0]
    problem = f"{len(there)} {kind} columns" if wanted is None else f"no {kind} column {wanted}"
    listed = f"one of {', '.join(there)}" if there else "a file that has one"
    raise UserError(f"{path} has {problem}; say dataset.source.{kind}_column=NAME with {listed}")


def _class_names(metadata: Mapping[bytes, bytes] | None, label: str) -> tuple[str, ...]:
    """Names that the hub keeps in the schema's metadata; none where they are not there."""
    try:
        described = json.loads((metadata or {})[b"huggingface"])
        return tuple(described["info"]["features"][label]["names"])
    except (KeyError, TypeError, ValueError):
        return ()


def _check_labels(tables: Sequence[_Table], names: tuple[str, ...]) -> None:
    for table in tables:
        wrong = next((label for label in table.labels if not 0 <= label < len(names)), None)
        if wrong is not None:
            raise UserError(
                f"{table.path} has the label {wrong}, but the training part's classes are "
                f"0 to {len(names) - 1}; correct or remove these rows"
            )
    if len(names) < 2:
        raise UserError(f"{tables[0].path.parent} has one class only ({names[0]}); two or more are needed")
