"""Arrays of the cache: whole or not there."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from kdrun.errors import UserError
from kdrun.runs.cache import Cache, drop, nbytes, summary
from kdrun.runs.cache_folder import CacheFolder, Form

ROWS = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
FORM = Form((2, 3, 4), "float32")


@pytest.fixture
def folder(tmp_path: Path) -> CacheFolder:
    made = Cache(tmp_path).folder("table-a-b-0123")
    with made.writing({"kind": "table", "teacher": "mlp, seed 0"}, {"logits": FORM}) as append:
        for part in ROWS.reshape(6, 4)[:4], ROWS.reshape(6, 4)[4:]:
            append({"logits": part})
    return made


def _array(folder: CacheFolder, signal: str = "logits", epoch: int | None = None) -> np.ndarray:
    array = folder.array(signal, epoch)
    assert array is not None
    return array


def test_what_was_appended_comes_back(folder: CacheFolder) -> None:
    assert np.array_equal(_array(folder), ROWS)
    assert folder.array("features.pooled") is None


def test_changes_to_what_was_read_stay_in_memory(folder: CacheFolder) -> None:
    _array(folder)[:] = 0
    assert np.array_equal(_array(folder), ROWS)


def test_signals_and_epochs_join(folder: CacheFolder) -> None:
    with folder.writing({}, {"pooled": Form((1,), "float16")}, epoch=3) as append:
        append({"pooled": np.ones(1, np.float16)})
    assert _array(folder, "pooled", 3).tolist() == [1.0]
    assert np.array_equal(_array(folder), ROWS)
    assert folder.about()["teacher"] == "mlp, seed 0"


def _cut(folder: CacheFolder) -> None:
    path = folder.file("logits")
    path.write_bytes(path.read_bytes()[:-1])


def _lengthen(folder: CacheFolder) -> None:
    path = folder.file("logits")
    path.write_bytes(path.read_bytes() + b"0")


def _empty(folder: CacheFolder) -> None:
    folder.file("logits").write_bytes(b"")


def _reshape(folder: CacheFolder) -> None:
    np.save(folder.file("logits"), ROWS.reshape(3, 2, 4))


def _retype(folder: CacheFolder) -> None:
    np.save(folder.file("logits"), ROWS.astype(np.int32))


def _other_file(folder: CacheFolder) -> None:
    folder.file("logits").write_text("nothing of the kind")


def _no_about(folder: CacheFolder) -> None:
    (folder.path / "about.json").write_text('{"forms": {"logits": 3}}')


@pytest.mark.parametrize("damage", [_cut, _lengthen, _empty, _reshape, _retype, _other_file, _no_about])
def test_a_damaged_array_counts_as_not_there(folder: CacheFolder, damage: object) -> None:
    damage(folder)  # type: ignore[operator]
    assert folder.array("logits") is None
    assert summary(folder).name == "table-a-b-0123"


def test_writing_that_ends_early_leaves_nothing(folder: CacheFolder) -> None:
    def begin() -> None:
        with folder.writing({}, {"pooled": FORM}) as append:
            append({"pooled": ROWS[0]})
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        begin()
    assert sorted(path.name for path in folder.path.iterdir()) == ["about.json", "logits.npy"]


def test_what_a_killed_process_left_goes_with_the_next_writing(folder: CacheFolder) -> None:
    (folder.path / ".pooled.npy.1.tmp").write_bytes(b"half")
    with folder.writing({}, {"pooled": Form((1,), "float32")}) as append:
        append({"pooled": ROWS[0, 0, :1]})
    assert not list(folder.path.glob(".*"))


def test_room_is_what_the_bound_leaves(folder: CacheFolder) -> None:
    cache = Cache(folder.path.parent.parent)
    assert cache.nbytes() == nbytes(folder) > ROWS.nbytes
    assert cache.room(10_000) == 10_000 - nbytes(folder)
    assert cache.room(10**18) < 10**17  # the disk


def test_a_folder_that_is_being_written_is_not_dropped(folder: CacheFolder) -> None:
    with folder.lock().acquire(timeout=0):
        assert drop(CacheFolder(folder.path)) is None
    assert np.array_equal(_array(folder), ROWS)
    size = nbytes(folder)
    assert drop(folder) == size
    assert not list(Cache(folder.path.parent.parent).folders())


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "cache").touch()
    with pytest.raises(UserError, match="choose another folder with outputs=DIR"):
        Cache(tmp_path).folder("x").lock()
