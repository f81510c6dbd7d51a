from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hydra.utils import instantiate
from omegaconf import OmegaConf

from kdrun.data.normalise import channel_statistics
from kdrun.data.split import Splits, split

FILES = sorted((Path(__file__).parents[2] / "conf" / "dataset").glob("*.yaml"))
KEYS = {"name", "source", "mean", "std", "test_size", "validation_size", "split_seed", "train_size"}


def load(name: str) -> tuple[Any, Splits]:
    config = OmegaConf.load(next(path for path in FILES if path.stem == name))
    raw = instantiate(config.source).load(Path("nowhere"))
    return config, split(
        raw,
        test_size=config.test_size,
        validation_size=config.validation_size,
        split_seed=config.split_seed,
    )


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_file_has_the_same_keys_its_own_name_and_a_source(path: Path) -> None:
    config = OmegaConf.load(path)
    assert set(config) == KEYS
    assert config.name == path.stem
    assert callable(instantiate(config.source).load)


@pytest.mark.parametrize(("name", "sizes"), [("mnist5k", (3500, 500, 1000)), ("digits", (1100, 197, 500))])
def test_sets_that_come_with_packages_split_as_documented(name: str, sizes: tuple[int, ...]) -> None:
    _, splits = load(name)
    assert tuple(len(part) for part in (splits.train, splits.validation, splits.test)) == sizes


@pytest.mark.parametrize("name", ["mnist5k", "digits"])
def test_the_written_mean_and_deviation_are_near_those_of_the_training_part(name: str) -> None:
    config, splits = load(name)
    measured = channel_statistics(splits.train)
    assert measured.mean == pytest.approx(list(config.mean), abs=0.002)
    assert measured.std == pytest.approx(list(config.std), abs=0.002)
