"""What identifies a run, and what a later version may add without training anything anew."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import islice
from types import MappingProxyType
from typing import Any

import pytest

from kdrun.runs import identity as identity_module
from kdrun.runs.identity import NEUTRAL, identity_of, text
from kdrun.runs.spec import RunSpec

TEACHER = RunSpec(
    kind="teacher",
    seed=0,
    data_seed=0,
    dataset={"name": "photos", "source": {"_target_": "mine.Photos", "folder": "here", "size": 8}, "test_size": 1},
    train_size=None,
    model={"name": "mlp", "_target_": "mine.Mlp", "widths": [8, 4], "dropout": 0.5},
    recipe={"epochs": 2, "optimizer": {"lr": 0.1, "weight_decay": 0}},
    precision="fp32",
)
STUDENT = replace(
    TEACHER,
    kind="student",
    alpha=0.7,
    label_weight=None,
    terms={"kd": {"_target_": "mine.Kd", "tau": 4, "hard": True}},
    mode={"name": "offline"},
    teacher=TEACHER,
)

# As kdrun 0.2 was published with it. Below it, entries are added and none is ever changed.
PUBLISHED = {
    "train_size": None,
    "alpha": None,
    "label_weight": 1.0,
    "terms": {},
    "mode": None,
    "targets": {},
    "teacher_dtype": "fp32",
    "teacher": None,
    "starts_from": None,
    "made_of": [],
    "examples": {},
    "schedules": {},
    "code": {},
    "terms.*.weight": 1.0,
    "terms.*.warmup_epochs": 0,
    "terms.*.mix": False,
    "terms.*.label_weight": None,
}


def _with(spec: RunSpec, path: str, value: Any) -> RunSpec:
    """The same with another value at a dotted path."""
    field, *keys = path.split(".")

    def put(node: Any, keys: list[str]) -> Any:
        return {**node, keys[0]: put(node.get(keys[0]), keys[1:])} if keys else value

    return replace(spec, **{field: put(getattr(spec, field), keys)})


def _later(monkeypatch: pytest.MonkeyPatch, **entries: Any) -> None:
    """A later version, whose table has further entries."""
    monkeypatch.setattr(identity_module, "NEUTRAL", MappingProxyType({**NEUTRAL, **entries}))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("terms.kd.tau", 4.0),
        ("recipe.optimizer.weight_decay", 0.0),
        ("recipe.optimizer.weight_decay", -0.0),
        ("model.widths", (8.0, 4)),
        ("seed", 0.0),
    ],
)
def test_a_number_is_the_same_run_however_it_is_typed(path: str, value: Any) -> None:
    assert _with(STUDENT, path, value) == STUDENT


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("terms.kd.tau", 4.5),
        ("terms.kd.tau", "4"),
        ("terms.kd.hard", 1),
        ("terms.kd.hard", 1.0),
        ("recipe.optimizer.weight_decay", False),
        ("recipe.optimizer.weight_decay", None),
        ("recipe.optimizer.lr", 0.1000000001),
    ],
)
def test_what_is_another_value_is_another_run(path: str, value: Any) -> None:
    assert _with(STUDENT, path, value) != STUDENT


def test_large_numbers_keep_their_type() -> None:
    assert text(identity_of("model", {"a": 1e300, "b": 10**20, "c": 2.0**53})) == (
        '{"a":1e+300,"b":100000000000000000000,"c":9007199254740992.0}'
    )


@pytest.mark.parametrize("key", ["dataset.test_size", "dataset.validation_size"])
def test_one_example_and_a_share_of_one_are_two_sizes(key: str) -> None:
    assert _with(TEACHER, key, 1) != _with(TEACHER, key, 1.0)


def test_a_number_that_json_lacks_has_no_fingerprint() -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        _ = _with(STUDENT, "terms.kd.tau", float("nan")).fingerprint


def test_entries_of_the_table_stay_and_new_ones_come_after_them() -> None:
    assert list(islice(NEUTRAL.items(), len(PUBLISHED))) == list(PUBLISHED.items())


def test_each_field_that_may_be_left_out_is_neutral_at_its_default() -> None:
    described = replace(TEACHER, train_size=None).description()
    required = {"semantics", "kind", "seed", "data_seed", "dataset", "model", "recipe", "precision"}
    assert TEACHER.identity.keys() == required
    assert {key: described[key] for key in described.keys() - required} == {
        key: value for key, value in NEUTRAL.items() if key in described
    }


@dataclass(frozen=True, eq=False)
class Later(RunSpec):
    """A run as a later version knows it."""

    data_from: RunSpec | None = None


def _fields(spec: RunSpec) -> dict[str, Any]:
    return {name: getattr(spec, name) for name in RunSpec.__dataclass_fields__}


def test_a_later_field_leaves_fingerprints_as_they_are_where_it_is_neutral(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Later(**_fields(STUDENT)).fingerprint != STUDENT.fingerprint  # as long as the table lacks it
    _later(monkeypatch, data_from=None)
    assert Later(**_fields(STUDENT)).fingerprint == STUDENT.fingerprint
    written = Later(**_fields(STUDENT), data_from=TEACHER)
    assert written.fingerprint != STUDENT.fingerprint
    assert written.identity["data_from"] == TEACHER.fingerprint


@pytest.mark.parametrize(
    ("key", "path"),
    [
        ("recipe.ema", "recipe.ema"),
        ("recipe.optimizer.nesterov", "recipe.optimizer.nesterov"),
        ("terms.*.from_epoch", "terms.kd.from_epoch"),
        ("mine.Mlp:norm", "model.norm"),
        ("mine.Kd:norm", "terms.kd.norm"),
        ("mine.Photos:crop", "dataset.source.crop"),
    ],
)
def test_a_later_key_is_left_out_at_its_neutral_value_wherever_it_stands(
    monkeypatch: pytest.MonkeyPatch, key: str, path: str
) -> None:
    assert _with(STUDENT, path, 0.0) != STUDENT
    _later(monkeypatch, **{key: 0})
    assert _with(STUDENT, path, 0.0) == STUDENT
    assert _with(STUDENT, path, 1) != STUDENT
    assert _with(STUDENT, path, False) != STUDENT


def test_a_number_of_one_class_is_not_neutral_in_another(monkeypatch: pytest.MonkeyPatch) -> None:
    _later(monkeypatch, **{"theirs.Mlp:norm": None, "terms.*.norm": None, "recipe.norm": None})
    assert _with(STUDENT, "model.norm", None) != STUDENT


def test_a_weight_of_one_is_the_weight_that_is_not_typed() -> None:
    assert _with(STUDENT, "terms.kd.weight", 1) == STUDENT
    assert _with(STUDENT, "terms.kd.weight", 2) != STUDENT


def test_places_are_identified_by_what_they_hold() -> None:
    def at(folder: str, size: int, content: str, digest: str | None = None) -> RunSpec:
        source = {"_target_": "mine.Photos", "folder": folder, "size": size}
        placed = {"content": {"sha256": content}, "places": {"folder": digest}}
        return replace(STUDENT, dataset={**STUDENT.dataset, "source": source, **placed})

    assert at("here", 8, "a") == at("/elsewhere", 8, "a")
    assert at("here", 8, "a") != at("here", 8, "b")
    assert at("here", 8, "a") != at("here", 9, "a")
    assert at("here", 8, "a", "1") == at("there", 8, "a", "1")
    assert at("here", 8, "a", "1") != at("here", 8, "a", "2")


def test_a_place_within_a_list_is_identified_by_what_it_holds() -> None:
    def at(*folders: str, digest: str) -> Any:
        places = {"folders.1": digest}
        return identity_of("dataset", {"source": {"folders": list(folders)}, "places": places})

    assert at("a", "b", digest="1") == at("a", "c", digest="1") == {"source": {"folders": ["a", "1"]}}
    assert at("a", "b", digest="1") != at("c", "b", digest="1")


def test_the_description_still_has_the_places() -> None:
    dataset = {**TEACHER.dataset, "places": {"folder": None}}
    assert replace(TEACHER, dataset=dataset).description()["dataset"] == dataset
