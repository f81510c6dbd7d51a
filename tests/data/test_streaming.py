"""Images come in the order they were asked for, whoever decodes them and whatever happens to those who do."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import time
from multiprocessing import active_children
from pathlib import Path

import pytest
import torch
from pictures import cut_off, photos
from torch import Tensor

from kdrun.data import Undecoded, streaming
from kdrun.data.sources.image_folder import ImageFolder
from kdrun.data.streaming import Loader
from kdrun.errors import UserError

CPU = torch.device("cpu")


def undecoded(folder: Path) -> Undecoded:
    images = ImageFolder(folder=str(folder), image_size=8, channels=3).load(folder).train.images
    assert not isinstance(images, Tensor)
    return images


@pytest.fixture
def images(tmp_path: Path) -> Undecoded:
    return undecoded(photos(tmp_path / "photos"))


@pytest.mark.parametrize("processes", [0, 1, 2])
@pytest.mark.parametrize("most_in_a_job", [3, 1000])
def test_streamed_images_are_those_of_the_decoded_tensor(
    images: Undecoded, processes: int, most_in_a_job: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    bytes_of_one = 3 * 8 * 8
    monkeypatch.setattr(streaming, "READY_BYTES", bytes_of_one * most_in_a_job * 2 * max(1, processes))
    whole, loader = images.decoded(threads=1), Loader(CPU, processes)
    for seed in range(2):
        order = torch.randperm(len(images), generator=torch.Generator().manual_seed(seed))[:75]
        batches = list(loader.batches(images, order, 16))
        assert [len(batch) for batch in batches] == [16, 16, 16, 16, 11]
        assert torch.equal(torch.cat(batches), whole[order])


def test_a_tensor_is_streamed_like_encoded_images() -> None:
    whole, order = torch.arange(60, dtype=torch.uint8).view(20, 1, 1, 3), torch.arange(19, -1, -1)
    assert torch.equal(torch.cat(list(Loader(CPU, 0).batches(whole, order, 8))), whole.flip(0))


def test_who_asks_while_another_is_not_done_gets_images_of_his_own(images: Undecoded) -> None:
    whole, loader = images.decoded(threads=1), Loader(CPU, 1)
    order = torch.arange(len(images))
    both = zip(loader.batches(images, order, 20), loader.batches(images, order.flip(0), 20), strict=True)
    forth, back = (torch.cat(batches) for batches in zip(*both, strict=True))
    assert torch.equal(forth, whole)
    assert torch.equal(back, whole.flip(0))


def _children() -> set[int]:
    return {process.pid for process in active_children() if process.pid}


def test_the_same_processes_serve_every_epoch_also_one_that_was_given_up(images: Undecoded) -> None:
    before = _children()  # of other tests' loaders that are not collected yet
    whole, loader, order = images.decoded(threads=1), Loader(CPU, 2), torch.arange(len(images))
    given_up = loader.batches(images, order.flip(0), 5)
    next(given_up)
    given_up.close()
    first = _children()
    assert torch.equal(torch.cat(list(loader.batches(images, order, 5))), whole)
    assert _children() == first
    assert len(first - before) == 2


def test_processes_end_with_their_loader(images: Undecoded) -> None:
    before = _children()
    loader = Loader(CPU, 2)
    list(loader.batches(images, torch.arange(10), 5))
    assert len(_children() - before) == 2
    del loader
    gc.collect()
    assert _children() <= before


def test_the_global_generator_is_left_alone(images: Undecoded) -> None:
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    list(Loader(CPU, 1).batches(images, torch.arange(10), 5))
    assert torch.equal(torch.rand(2), expected)


@pytest.mark.parametrize("processes", [0, 1])
def test_a_damaged_image_is_told_in_one_line_that_names_it(tmp_path: Path, processes: int) -> None:
    damaged = cut_off(photos(tmp_path / "photos") / "dogs" / "7.png")
    images = undecoded(tmp_path / "photos")
    row = sorted(path.name for path in damaged.parent.iterdir()).index("7.png") + 40
    loader = Loader(CPU, processes)
    batches = loader.batches(images, torch.arange(len(images)), 1)
    for _ in range(row):
        next(batches)
    with pytest.raises(UserError) as told:
        next(batches)
    assert told.value.message == f"{damaged} cannot be read as an image; replace or remove it"
    others = torch.tensor([n for n in range(len(images)) if n != row])
    assert len(torch.cat(list(loader.batches(images, others, 50)))) == len(images) - 1


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere torch tells it where it happens to be")
def test_a_process_that_was_killed_is_told_in_one_line_and_replaced(images: Undecoded) -> None:
    loader, order = Loader(CPU, 1), torch.arange(len(images))
    list(loader.batches(images, order, 5))
    for process in active_children():
        os.kill(process.pid or 0, signal.SIGKILL)
    with pytest.raises(UserError, match=r"^a process that decodes images was killed, .*try loader_workers=0$"):
        list(loader.batches(images, order, 5))
    assert len(list(loader.batches(images, order, 5))) == 16


def test_after_a_wish_to_end_there_is_time_for_the_last_images(images: Undecoded) -> None:
    loader, order = Loader(CPU, 1), torch.arange(len(images))
    list(loader.batches(images, order, 5))
    (process,) = active_children()
    for number in (signal.SIGINT, signal.SIGTERM):
        os.kill(process.pid or 0, number)
    time.sleep(0.2)
    assert len(list(loader.batches(images, order, 5))) == 16
    process.join(60)
    assert process.exitcode == 1


def test_an_exit_waits_for_no_process_that_is_still_held(tmp_path: Path) -> None:
    photos(tmp_path / "photos", each=4)
    code = (
        "import torch; from pathlib import Path; from kdrun.data.sources.image_folder import ImageFolder\n"
        "from kdrun.data.streaming import Loader\n"
        f"path = Path({str(tmp_path / 'photos')!r})\n"
        "images = ImageFolder(folder=str(path), image_size=8, channels=3).load(path).train.images\n"
        "held = Loader(torch.device('cpu'), 1).batches(images, torch.arange(8), 2)\n"
        "next(held); import sys; sys.modules['holds on to it'] = [held, sys.modules]"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")
