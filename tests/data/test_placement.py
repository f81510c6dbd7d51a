"""What fits is decoded once and kept; what does not stays where it is; nobody sees a difference."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from pictures import cut_off, photos
from torch import Tensor

from kdrun.data import Images, RawData, Room, placement
from kdrun.data.batches import Batches, plain_batches
from kdrun.data.normalise import Normalise, channel_statistics
from kdrun.data.placement import place
from kdrun.data.sources.image_folder import ImageFolder
from kdrun.data.split import Splits, first, split
from kdrun.data.views import Crop
from kdrun.errors import UserError
from kdrun.signals import Batch

CPU = torch.device("cpu")
NORMALISE = Normalise((0.5,) * 3, (0.2,) * 3)
BYTES = 80 * 3 * 8 * 8
TINY = Room(1e-12, 0)


@pytest.fixture
def splits(tmp_path: Path) -> Splits:
    return splits_of(photos(tmp_path / "photos"))


def splits_of(folder: Path) -> Splits:
    raw = ImageFolder(folder=str(folder), image_size=8, channels=3).load(folder)
    return split(raw, test_size=20, validation_size=10, split_seed=0)


def same(ones: list[Batch], others: list[Batch]) -> bool:
    pairs = [pair for both in zip(ones, others, strict=True) for pair in zip(*both, strict=True)]
    return all(torch.equal(a, b) if isinstance(a, Tensor) else a == b for a, b in pairs)


@pytest.mark.parametrize(("share", "resident"), [(0.5, True), (0.499, False)])
def test_images_are_resident_where_all_of_them_fit_into_the_share(
    splits: Splits, share: float, resident: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(placement, "available_bytes", lambda _: 2 * BYTES)
    placed = place(splits, CPU, Room(share, 0))
    assert splits.image_bytes == BYTES
    assert [part.loader is None for part in placed.parts] == [resident] * 3
    assert [isinstance(part.images, Tensor) for part in placed.parts] == [resident] * 3


@pytest.mark.parametrize("start", [0, 2])
def test_batches_statistics_and_plain_batches_are_the_same_either_way(splits: Splits, start: int) -> None:
    resident, streamed = place(splits, CPU, Room(1.0, 0)), place(splits, CPU, TINY)
    for one, other in zip(resident.parts, streamed.parts, strict=True):
        plain = [list(plain_batches(part, batch_size=7, normalise=NORMALISE)) for part in (one, other)]
        assert same(*plain)
    parts = first(resident.train, 30), first(streamed.train, 30)
    settings = {"batch_size": 8, "family": Crop(1, True), "normalise": NORMALISE, "seed": 5}
    drawn = [list(Batches(part, **settings).epoch(3, start=start)) for part in parts]
    assert len(drawn[0]) == 3 - start
    assert same(*drawn)
    assert channel_statistics(resident.train) == channel_statistics(streamed.train)


def test_an_image_set_is_decoded_piece_by_piece(splits: Splits, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = place(splits, CPU, Room(1.0, 0))
    monkeypatch.setattr(placement, "READY_BYTES", 7 * 3 * 8 * 8)
    pieces = place(splits, CPU, Room(1.0, 0))
    assert all(torch.equal(a.images, b.images) for a, b in zip(whole.parts, pieces.parts, strict=True))


def test_a_tensor_in_the_devices_memory_stays_there_however_large() -> None:
    images = Images(torch.zeros(20, 1, 2, 2, dtype=torch.uint8), torch.arange(20) % 2)
    splits = split(RawData(images, None, ("a", "b")), test_size=4, validation_size=0, split_seed=0)
    assert all(part.loader is None for part in place(splits, CPU, TINY).parts)


def test_a_tensor_that_does_not_fit_on_another_device_stays_in_the_machines_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(placement, "available_bytes", lambda _: 20 * 4)
    images = Images(torch.zeros(20, 1, 2, 2, dtype=torch.uint8), torch.arange(20) % 2)
    splits = split(RawData(images, None, ("a", "b")), test_size=4, validation_size=0, split_seed=0)
    for share, where in ((1.0, "meta"), (0.9, "cpu")):
        train = place(splits, torch.device("meta"), Room(share, 0)).train
        assert isinstance(train.images, Tensor)
        assert (train.images.device.type, train.labels.device.type, train.ids.device.type) == (where, "meta", "meta")
        assert (train.loader is None) == (where == "meta")


def test_before_images_are_streamed_the_header_of_each_is_read(tmp_path: Path) -> None:
    damaged = photos(tmp_path / "photos") / "cats" / "3.png"
    cut_off(damaged)
    place(splits_of(tmp_path / "photos"), CPU, TINY)
    damaged.write_bytes(b"no picture")
    with pytest.raises(UserError, match=f"^{damaged} cannot be read as an image"):
        place(splits_of(tmp_path / "photos"), CPU, TINY)


def test_several_processes_divide_the_memory_of_a_device_and_the_workers() -> None:
    assert Room(0.8, 3).divided(2, devices=1) == Room(0.4, 2)
    assert Room(0.8, 4).divided(4, devices=2) == Room(0.4, 1)
    assert Room(0.8, 0).divided(2, devices=4) == Room(0.8, 0)
