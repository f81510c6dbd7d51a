"""A user's folder of image files, a folder for each class."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from kdrun.data import Images, RawData
from kdrun.data.sources.decode import Encoded, encoded
from kdrun.data.sources.folder import digest, find
from kdrun.errors import UserError

_EXTENSIONS = {".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"}


@dataclass(frozen=True, kw_only=True)
class ImageFolder:
    """Images in `folder/train/CLASS/` and `folder/test/CLASS/` (or `val/`, read where there is no `test/`).

    Without `train/`, the folders in `folder` are the classes and there is no test part of its own. Classes
    are in alphabetical order; files of other kinds and hidden folders are passed over.

    folder: absolute or under the data root.
    image_size: the shorter side is resized to it and the centre cut out, >= 1.
    channels: 1 (grey) or 3 (RGB).
    """

    places: ClassVar[tuple[str, ...]] = ("folder",)

    folder: str
    image_size: int
    channels: int

    def __post_init__(self) -> None:
        if self.image_size < 1:
            raise UserError(f"dataset.source.image_size must be >= 1, got {self.image_size}")
        if self.channels not in (1, 3):
            raise UserError(f"dataset.source.channels must be 1 (grey) or 3 (RGB), got {self.channels}")

    def identity(self, data_root: Path) -> Mapping[str, str | int]:
        folder = find(data_root, self.folder)
        train, test = _parts(folder)
        files = (path for classes in (train, test) for paths in classes.values() for path in paths)
        return {"files_sha256": digest(files, folder)}

    def examples(self, data_root: Path) -> int:
        train, _ = _parts(find(data_root, self.folder))
        return sum(map(len, train.values()))

    def load(self, data_root: Path) -> RawData:
        import torch

        train, test = _parts(find(data_root, self.folder))
        numbers = {name: number for number, name in enumerate(train)}
        items = [
            (Encoded(str(path), path), numbers[name])
            for classes in (train, test)
            for name, paths in classes.items()
            for path in paths
        ]
        images = encoded([item for item, _ in items], channels=self.channels, image_size=self.image_size)
        labels = torch.tensor([label for _, label in items])
        count = sum(len(paths) for paths in train.values())
        return RawData(
            Images(images[:count], labels[:count]),
            Images(images[count:], labels[count:]) if test else None,
            tuple(numbers),
        )


def _parts(folder: Path) -> tuple[dict[str, list[Path]], dict[str, list[Path]]]:
    """Files by class of the training and the test part, the latter empty where the folder has none."""
    is_split = bool(_subfolders(folder / "train"))
    train_folder = folder / "train" if is_split else folder
    train = _classes(train_folder)
    if len(train) < 2:
        found = f"one class only ({next(iter(train))})" if train else "no class folders"
        raise UserError(f"{train_folder} has {found}; make a folder of images for each of two or more classes")
    test_folder = next((folder / name for name in ("test", "val") if (folder / name).is_dir()), None)
    if not is_split or test_folder is None:
        return train, {}
    test = _classes(test_folder)
    if not test:
        raise UserError(f"{test_folder} has no class folders; add them, or remove it")
    unknown = sorted(test.keys() - train.keys())
    if unknown:
        raise UserError(f"{test_folder} has the class {unknown[0]}, which {train_folder} does not; add it there")
    return train, test


def _classes(folder: Path) -> dict[str, list[Path]]:
    return {subfolder.name: _images(subfolder) for subfolder in _subfolders(folder)}


def _subfolders(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))


def _images(folder: Path) -> list[Path]:
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in _EXTENSIONS)
    if not paths:
        raise UserError(f"the class folder {folder} has no images; add some, or remove it")
    return paths
