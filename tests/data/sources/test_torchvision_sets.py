from __future__ import annotations

import hashlib
import pickle
from pathlib import Path
from urllib.error import URLError

import numpy as np
import pytest
from torchvision import datasets

from kdrun.data.sources.torchvision_sets import Torchvision
from kdrun.errors import UserError


def idx(values: np.ndarray) -> bytes:
    header = bytes([0, 0, 8, values.ndim]) + b"".join(n.to_bytes(4, "big") for n in values.shape)
    return header + values.astype(np.uint8).tobytes()


def write_mnist(root: Path, dataset: str = "MNIST") -> Path:
    folder = root / dataset / "raw"
    folder.mkdir(parents=True)
    for part, count in (("train", 12), ("t10k", 4)):
        images = np.arange(count)[:, None, None] + np.zeros((1, 28, 28), int)
        (folder / f"{part}-images-idx3-ubyte").write_bytes(idx(images))
        (folder / f"{part}-labels-idx1-ubyte").write_bytes(idx(np.arange(count) % 10))
    return folder


def write_cifar10(root: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two small files in the place of the real ones, and their sums in the place of the published ones."""
    folder = root / "cifar-10-batches-py"
    folder.mkdir(parents=True)

    def write(name: str, content: object) -> str:
        (folder / name).write_bytes(pickle.dumps(content))
        return hashlib.md5((folder / name).read_bytes()).hexdigest()

    pixels = np.arange(5 * 3072).reshape(5, 3072).astype(np.uint8)
    train = write("data_batch_1", {"data": pixels, "labels": [0, 1, 2, 3, 9]})
    test = write("test_batch", {"data": pixels[:2], "labels": [4, 5]})
    meta = write("batches.meta", {"label_names": [f"class {k}" for k in range(10)]})
    monkeypatch.setattr(datasets.CIFAR10, "train_list", [["data_batch_1", train]])
    monkeypatch.setattr(datasets.CIFAR10, "test_list", [["test_batch", test]])
    monkeypatch.setattr(datasets.CIFAR10, "meta", {"filename": "batches.meta", "key": "label_names", "md5": meta})
    return folder


def no_network(*args: object, **kwargs: object) -> None:
    raise URLError("no network in tests")


@pytest.fixture(autouse=True)
def _offline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torchvision.datasets.mnist.download_and_extract_archive", no_network)
    monkeypatch.setattr("torchvision.datasets.cifar.download_and_extract_archive", no_network)


@pytest.mark.parametrize("dataset", ["MNIST", "FashionMNIST"])
def test_files_in_the_data_root_are_read_without_a_download(tmp_path: Path, dataset: str) -> None:
    write_mnist(tmp_path, dataset)
    raw = Torchvision(dataset).load(tmp_path)
    assert raw.train.images.shape == (12, 1, 28, 28)
    assert raw.train.images[:, 0, 3, 3].tolist() == list(range(12))
    assert raw.test is not None
    assert raw.test.labels.tolist() == [0, 1, 2, 3]
    assert len(raw.class_names) == 10


def test_cifar_images_keep_channels_rows_and_columns_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_cifar10(tmp_path, monkeypatch)
    raw = Torchvision("CIFAR10").load(tmp_path)
    expected = np.arange(5 * 3072).reshape(5, 3, 32, 32).astype(np.uint8)
    assert np.array_equal(raw.train.images.numpy(), expected)
    assert raw.train.images.is_contiguous()
    assert raw.train.labels.tolist() == [0, 1, 2, 3, 9]
    assert raw.class_names[3] == "class 3"


@pytest.mark.parametrize("dataset", ["MNIST", "CIFAR10", "CIFAR100"])
def test_a_set_that_is_nowhere_is_one_line_and_leaves_nothing_behind(tmp_path: Path, dataset: str) -> None:
    root = tmp_path / "data"
    with pytest.raises(UserError) as error:
        Torchvision(dataset).load(root)
    message = error.value.message
    assert "\n" not in message
    assert f"{dataset} is not in {root}" in message
    assert "data_root=DIR (or KDRUN_DATA=DIR)" in message
    assert not root.exists()


def test_a_failed_download_leaves_the_files_that_are_there(tmp_path: Path) -> None:
    folder = write_mnist(tmp_path)
    (folder / "t10k-labels-idx1-ubyte").unlink()
    with pytest.raises(UserError, match="could not be downloaded"):
        Torchvision("MNIST").load(tmp_path)
    assert len(list(folder.iterdir())) == 3
    assert list(tmp_path.iterdir()) == [tmp_path / "MNIST"]


def test_a_download_ends_in_the_data_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = write_mnist(tmp_path / "elsewhere")

    def download(url: str, download_root: str, filename: str, md5: str) -> None:
        name = filename.removesuffix(".gz")
        (Path(download_root) / name).write_bytes((source / name).read_bytes())

    monkeypatch.setattr("torchvision.datasets.mnist.download_and_extract_archive", download)
    root = tmp_path / "data"
    assert len(Torchvision("MNIST").load(root).train.labels) == 12
    assert [path.name for path in root.iterdir()] == ["MNIST"]
    assert len(list((root / "MNIST" / "raw").iterdir())) == 4


@pytest.mark.parametrize(
    "damage",
    [lambda data: data[:-1], lambda data: data + b"0", lambda data: b"", lambda data: b"\x1f\x8b" + data],
)
def test_an_idx_file_that_is_not_whole_is_named(tmp_path: Path, damage: object) -> None:
    path = write_mnist(tmp_path) / "train-images-idx3-ubyte"
    assert callable(damage)
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(UserError, match=f"^{path} is damaged or cut short"):
        Torchvision("MNIST").load(tmp_path)


def test_a_cifar_file_that_is_not_whole_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_cifar10(tmp_path, monkeypatch) / "test_batch"
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(UserError, match=f"^{path} is damaged or cut short"):
        Torchvision("CIFAR10").load(tmp_path)


@pytest.mark.parametrize("labels", [np.arange(11) % 10, np.arange(12)])
def test_labels_that_do_not_go_with_the_images_are_refused(tmp_path: Path, labels: np.ndarray) -> None:
    folder = write_mnist(tmp_path)
    (folder / "train-labels-idx1-ubyte").write_bytes(idx(labels))
    with pytest.raises(UserError, match=f"12 images, {len(labels)} labels from 0 to {labels.max()}"):
        Torchvision("MNIST").load(tmp_path)


def test_a_set_that_is_none_of_torchvisions_is_refused() -> None:
    with pytest.raises(UserError, match=r"must be one of MNIST, .*, got ImageNet"):
        Torchvision("ImageNet")


def test_sets_in_mnists_format_hold_as_many_examples_as_they_say(tmp_path: Path) -> None:
    write_mnist(tmp_path)
    assert Torchvision("MNIST").examples(tmp_path) == len(Torchvision("MNIST").load(tmp_path).train.labels) == 12


def test_cifars_sets_have_a_known_size() -> None:
    assert [Torchvision(name).examples(Path("nowhere")) for name in ("CIFAR10", "CIFAR100")] == [50_000, 50_000]
