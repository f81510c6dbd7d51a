from __future__ import annotations

from pathlib import Path

import torch

from kdrun.data.sources.digits import Digits


def test_it_holds_the_digits_of_scikit_learn_stretched_to_255() -> None:
    from sklearn.datasets import load_digits

    raw = Digits().load(Path("nowhere"))
    assert raw.train.images.shape == (1797, 1, 8, 8)
    assert raw.train.images.dtype == torch.uint8
    assert raw.test is None
    assert len(raw.class_names) == 10
    original = torch.from_numpy(load_digits().images)
    assert (raw.train.images[:, 0].double() * 16 / 255 - original).abs().max() <= 16 / 255 / 2
    assert raw.train.labels.tolist() == load_digits().target.tolist()


def test_it_has_no_identity_beside_its_name() -> None:
    assert Digits().identity(Path("nowhere")) == {}
    assert Digits().examples(Path("nowhere")) == len(Digits().load(Path("nowhere")).train.labels)
