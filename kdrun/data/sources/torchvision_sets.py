"""The sets that torchvision knows: MNIST and those in its format, CIFAR-10 and CIFAR-100."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, ClassVar

from kdrun.data import Images, RawData
from kdrun.data.sources.folder import digest
from kdrun.errors import UserError

if TYPE_CHECKING:
    from torch import Tensor


_IDX_FILES = ("train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1")
_SETS = ("MNIST", "FashionMNIST", "KMNIST", "CIFAR10", "CIFAR100")


@dataclass(frozen=True)
class Torchvision:
    """A set of torchvision's, read from the data root, downloaded where it is not there.

    dataset: name of its class in torchvision.datasets, one of MNIST, FashionMNIST, KMNIST, CIFAR10, CIFAR100.
    """

    places: ClassVar[tuple[str, ...]] = ()

    dataset: str

    def __post_init__(self) -> None:
        if self.dataset not in _SETS:
            raise UserError(f"dataset.source.dataset must be one of {', '.join(_SETS)}, got {self.dataset}")

    def is_there(self, data_root: Path) -> bool:
        """Whether the files are there; otherwise `identity` and `load` download them."""
        if not self.dataset.startswith("CIFAR"):
            return all((data_root / self.dataset / "raw" / f"{name}-ubyte").is_file() for name in _IDX_FILES)
        from torchvision import datasets

        return all(path.is_file() for path in _files(getattr(datasets, self.dataset), data_root))

    def identity(self, data_root: Path) -> Mapping[str, str | int]:
        """A digest of the files, which are downloaded where they are not there; CIFAR's are fixed by their MD5 sums."""
        if self.dataset.startswith("CIFAR"):
            return {}
        folder = data_root / self.dataset / "raw"
        files = [folder / f"{name}-ubyte" for name in _IDX_FILES]
        if not all(path.is_file() for path in files):
            from torchvision import datasets

            self._download(getattr(datasets, self.dataset), data_root)
        return {"files_sha256": digest(files, folder)}

    def examples(self, data_root: Path) -> int:
        """CIFAR's sets are fixed; those in MNIST's format have it in the head of a file."""
        if self.dataset.startswith("CIFAR"):
            return 50_000
        path = data_root / self.dataset / "raw" / f"{_IDX_FILES[0]}-ubyte"
        try:
            with path.open("rb") as file:
                return int.from_bytes(file.read(8)[4:])
        except OSError as error:
            raise UserError(f"cannot read {path}: {error.strerror}; replace it") from error

    def load(self, data_root: Path) -> RawData:
        from torchvision import datasets

        kind = getattr(datasets, self.dataset)
        files = _files(kind, data_root)
        if not all(path.is_file() for path in files):
            self._download(kind, data_root)
        for path, md5 in files.items():
            if _is_damaged(path, md5):
                raise UserError(f"{path} is damaged or cut short; delete it to download it again, or replace it")
        train, test = (kind(data_root, train=is_train) for is_train in (True, False))
        names = tuple(str(name) for name in train.classes)
        return RawData(self._images(train, names), self._images(test, names), names)

    def _download(self, kind: Any, data_root: Path) -> None:
        """Downloads into a folder of its own and moves whole files, so that no cut-off file stays behind."""
        was_there = data_root.exists()
        try:
            data_root.mkdir(parents=True, exist_ok=True)
            with TemporaryDirectory(prefix=".download-", dir=data_root) as incoming:
                kind(incoming, train=True, download=True)
                for source, target in zip(_files(kind, Path(incoming)), _files(kind, data_root), strict=True):
                    target.parent.mkdir(parents=True, exist_ok=True)
                    source.replace(target)
        except (RuntimeError, OSError, EOFError, HTTPException) as error:
            if not was_there:
                with suppress(OSError):
                    data_root.rmdir()
            folder = next(iter(_files(kind, data_root))).parent
            raise UserError(
                f"{self.dataset} is not in {folder} and could not be downloaded; put its files there, "
                "or say data_root=DIR (or KDRUN_DATA=DIR) for the folder that holds them"
            ) from error

    def _images(self, part: Any, names: tuple[str, ...]) -> Images:
        import torch

        pixels: Tensor = torch.as_tensor(part.data)
        labels = torch.as_tensor(part.targets, dtype=torch.int64)
        if len(pixels) != len(labels) or not 0 <= int(labels.min()) <= int(labels.max()) < len(names):
            raise UserError(
                f"{self.dataset} in {part.root} is damaged: {len(pixels)} images, {len(labels)} labels from "
                f"{int(labels.min())} to {int(labels.max())} for {len(names)} classes; replace its files"
            )
        images = pixels[:, None] if pixels.ndim == 3 else pixels.permute(0, 3, 1, 2).contiguous()
        return Images(images, labels)


def _files(kind: Any, root: Path) -> dict[Path, str | None]:
    """The files of a set, with their MD5 sums where these are published."""
    if hasattr(kind, "base_folder"):
        listed = [*kind.train_list, *kind.test_list, (kind.meta["filename"], kind.meta["md5"])]
        return {root / kind.base_folder / name: md5 for name, md5 in listed}
    # The published sums of the MNIST family are of the archives, not of what comes out of them.
    return {root / kind.__name__ / "raw" / Path(url).stem: None for url, _ in kind.resources}


def _is_damaged(path: Path, md5: str | None) -> bool:
    if md5 is not None:
        with path.open("rb") as file:
            return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest() != md5
    return not _is_whole_idx(path)


def _is_whole_idx(path: Path) -> bool:
    """IDX: two zero bytes, the type (8: bytes), the number of dimensions, each in 4 bytes, the values."""
    with path.open("rb") as file:
        magic = file.read(4)
        if len(magic) < 4 or magic[:3] != b"\0\0\x08":
            return False
        dimensions = [int.from_bytes(file.read(4), "big") for _ in range(magic[3])]
    count = 1
    for dimension in dimensions:
        count *= dimension
    return count > 0 and path.stat().st_size == 4 + 4 * len(dimensions) + count
