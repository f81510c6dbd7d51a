"""Users' own classes belong to a run's identity."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from kdrun.runs.code import digests
from kdrun.runs.spec import RunSpec

SPEC = RunSpec(
    kind="teacher",
    seed=0,
    data_seed=0,
    dataset={"name": "blobs"},
    train_size=None,
    model={"name": "mine", "_target_": "my_net_for_a_test.Net"},
    recipe={"optimizer": {"_target_": "torch.optim.SGD"}},
    precision="fp32",
)


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.syspath_prepend(str(tmp_path))
    path = tmp_path / "my_net_for_a_test.py"
    path.write_text("class Net: ...\n")
    return path


def test_an_edited_class_of_the_users_is_another_run(source: Path) -> None:
    before = replace(SPEC).fingerprint
    source.write_text("class Net: changed = True\n")
    assert replace(SPEC).fingerprint != before


def test_a_class_of_a_library_is_known_by_its_name() -> None:
    assert digests({"a": [{"_target_": "torch.optim.SGD"}, {"_target_": "kdrun.models.mlp.Mlp"}]}) == {}


def test_a_class_within_a_class_is_found_in_its_module(source: Path) -> None:
    assert list(digests({"_target_": "my_net_for_a_test.Net.Inner"})) == ["my_net_for_a_test.Net"]


def test_a_module_that_is_not_there_is_left_to_who_makes_the_object() -> None:
    assert digests({"_target_": "no.such.Net"}) == {}
