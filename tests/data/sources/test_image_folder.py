from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from PIL import Image

from kdrun.data.sources.image_folder import ImageFolder
from kdrun.errors import UserError


def source(*, image_size: int = 4, channels: int = 1) -> ImageFolder:
    return ImageFolder(folder="images", image_size=image_size, channels=channels)


def write(root: Path, *names: str) -> None:
    """Grey images of 4x4 pixels whose level is the number in the file's name."""
    for name in names:
        path = root / "images" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (4, 4), int(path.stem)).save(path)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write(tmp_path, "train/dog/20.png", "train/cat/11.png", "train/cat/10.png", "test/dog/30.png")
    return tmp_path


def test_train_and_test_folders_give_their_images_and_class_names(root: Path) -> None:
    raw = source().load(root)
    assert raw.class_names == ("cat", "dog")
    assert raw.train.images.shape == (3, 1, 4, 4)
    assert raw.train.images.decoded(threads=1)[:, 0, 0, 0].tolist() == [10, 11, 20]
    assert raw.train.labels.tolist() == [0, 0, 1]
    assert raw.test is not None
    assert raw.test.images.decoded(threads=1)[:, 0, 0, 0].tolist() == [30]
    assert raw.test.labels.tolist() == [1]


def test_a_val_folder_is_the_test_part_where_there_is_no_test_folder(root: Path) -> None:
    shutil.move(root / "images" / "test", root / "images" / "val")
    raw = source().load(root)
    assert raw.test is not None
    assert raw.test.labels.tolist() == [1]


def test_one_folder_of_class_folders_has_no_test_part(tmp_path: Path) -> None:
    write(tmp_path, "a/1.png", "b/2.png", "train/3.png")
    raw = source().load(tmp_path)
    assert raw.test is None
    assert raw.class_names == ("a", "b", "train")


def test_colour_and_size_are_as_asked_for(root: Path) -> None:
    assert source(image_size=6, channels=3).load(root).train.images.shape == (3, 3, 6, 6)


def test_other_files_and_hidden_folders_are_passed_over(root: Path) -> None:
    (root / "images" / "train" / "cat" / "notes.txt").write_text("")
    (root / "images" / "train" / ".thumbnails").mkdir()
    before = source().identity(root)
    assert len(source().load(root).train.labels) == 3
    shutil.rmtree(root / "images" / "train" / ".thumbnails")
    assert source().identity(root) == before


def test_another_image_changes_the_identity(root: Path) -> None:
    before = source().identity(root)
    write(root, "train/cat/12.png")
    assert source().identity(root) != before


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=f"there is no folder {tmp_path}/images"):
        source().identity(tmp_path)


def test_an_unreadable_image_is_named(root: Path) -> None:
    path = root / "images" / "train" / "cat" / "99.jpg"
    path.write_bytes(b"\xff\xd8 cut off")
    with pytest.raises(UserError, match=f"^{path} cannot be read"):
        source().load(root).train.images.decoded(threads=1)


def test_one_class_only_is_refused(tmp_path: Path) -> None:
    write(tmp_path, "cat/1.png")
    with pytest.raises(UserError, match=r"images has one class only \(cat\)"):
        source().identity(tmp_path)


def test_a_folder_of_bare_images_is_refused(tmp_path: Path) -> None:
    write(tmp_path, "1.png", "2.png")
    with pytest.raises(UserError, match="images has no class folders"):
        source().identity(tmp_path)


def test_an_empty_class_folder_is_named(root: Path) -> None:
    (root / "images" / "train" / "emu").mkdir()
    with pytest.raises(UserError, match=r"images/train/emu has no images"):
        source().identity(root)


def test_a_test_folder_without_classes_is_named(root: Path) -> None:
    shutil.rmtree(root / "images" / "test" / "dog")
    with pytest.raises(UserError, match=r"images/test has no class folders"):
        source().identity(root)


def test_a_class_that_only_the_test_part_has_is_named(root: Path) -> None:
    write(root, "test/emu/40.png")
    with pytest.raises(UserError, match="has the class emu"):
        source().identity(root)


@pytest.mark.parametrize(("image_size", "channels", "key"), [(0, 1, "image_size"), (4, 2, "channels")])
def test_sizes_and_channels_out_of_range_are_refused(image_size: int, channels: int, key: str) -> None:
    with pytest.raises(UserError, match=rf"dataset.source.{key} must be"):
        source(image_size=image_size, channels=channels)


def test_it_holds_as_many_examples_as_it_says(root: Path) -> None:
    assert source().examples(root) == len(source().load(root).train.labels) == 3
