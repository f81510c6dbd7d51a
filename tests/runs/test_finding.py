"""Finished runs found again."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from kdrun.errors import UserError
from kdrun.runs.finding import finished, latest, named, recalled
from kdrun.runs.folder import RunFolder
from kdrun.runs.integrity import json_with_digest
from kdrun.runs.spec import RunSpec
from kdrun.runs.store import Store

TEACHER = RunSpec(
    kind="teacher",
    seed=0,
    data_seed=0,
    dataset={"name": "blobs", "mean": [0.5], "content": {}},
    train_size=None,
    model={"name": "mlp", "widths": [8, 4]},
    recipe={"epochs": 2, "optimizer": {"lr": 0.1, "betas": [0.9, 0.999]}},
    precision="fp32",
)
STUDENT = replace(
    TEACHER, kind="student", alpha=0.7, terms={"kd": {"tau": 4.0}}, mode={"name": "offline"}, teacher=TEACHER
)
BASELINE = STUDENT.baseline


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """A teacher, a student and its baseline, finished in this order."""
    made = Store(tmp_path)
    for age, spec in enumerate((TEACHER, STUDENT, BASELINE)):
        folder = made.folder(spec)
        folder.start(spec, {})
        (folder.path / "result.json").write_text("{}")
        os.utime(folder.path / "result.json", (age, age))
    return made


def test_a_spec_comes_back_with_its_parents(store: Store) -> None:
    again = recalled(store, store.folder(STUDENT))
    assert again == STUDENT
    assert again.parents == (TEACHER,)
    assert again.baseline == BASELINE


def test_the_latest_is_of_the_kinds_asked_for(store: Store) -> None:
    assert latest(store, ("teacher", "student"), bool) == STUDENT
    assert latest(store, ("teacher",), bool) == TEACHER
    assert [folder.path.name for folder in finished(store, ("baseline",))] == [BASELINE.run_id]
    with pytest.raises(UserError, match=r"no finished control to show under .*runs; train one with `kdrun distill`"):
        latest(store, ("control",), bool)


def test_the_latest_is_one_that_fits(store: Store) -> None:
    assert latest(store, ("teacher", "student"), lambda spec: not spec.parents) == TEACHER


@pytest.mark.parametrize("name", [STUDENT.run_id, "student-", "stu", STUDENT.fingerprint, STUDENT.fingerprint[:5]])
def test_a_run_is_found_by_its_id_or_the_beginning_of_it(store: Store, name: str) -> None:
    assert named(store, name).path.name == STUDENT.run_id


def test_a_beginning_of_several_runs_names_them(store: Store) -> None:
    other = replace(STUDENT, seed=1)
    store.folder(other).start(other, {})
    with pytest.raises(
        UserError, match=rf"'student' is the beginning of 2 runs \(.*{other.fingerprint}.*\); type more"
    ):
        named(store, "student")


def test_an_unknown_run_is_answered_with_near_names(store: Store) -> None:
    with pytest.raises(UserError, match=f"no run 'studnet-mlp' under .*; did you mean {STUDENT.run_id}"):
        named(store, "studnet-mlp")
    with pytest.raises(UserError, match="`kdrun runs` lists"):
        named(store, "zzz")


def test_a_run_that_is_not_finished_is_not_found(store: Store) -> None:
    (store.folder(STUDENT).path / "result.json").unlink()
    with pytest.raises(UserError, match="is not finished"):
        named(store, "student")


@pytest.mark.parametrize("content", ["", '{"kind": "student"}', "[" * 100_000])
def test_a_damaged_description_is_named(store: Store, content: str) -> None:
    path = store.folder(STUDENT).path / "spec.json"
    path.write_text(content)
    with pytest.raises(UserError, match=r"student.*spec\.json is damaged or missing"):
        recalled(store, RunFolder(path.parent))


def test_a_description_of_another_run_is_refused(store: Store) -> None:
    path = store.folder(STUDENT).path / "spec.json"
    path.write_bytes(json_with_digest(store.folder(STUDENT).description() | {"alpha": 0.5}))
    with pytest.raises(UserError, match="describes another run"):
        recalled(store, RunFolder(path.parent))


def test_a_missing_teacher_is_named(store: Store) -> None:
    store.folder(TEACHER).path.rename(store.outputs / "elsewhere")
    with pytest.raises(UserError, match=f"the teacher of {STUDENT.run_id} .*{TEACHER.fingerprint}.* is not under"):
        recalled(store, store.folder(STUDENT))


def _described(folder: RunFolder, *without: str) -> dict[str, object]:
    read = json.loads((folder.path / "spec.json").read_text())
    return {key: value for key, value in read.items() if key not in ("sha256", *without)}


def _rewritten(folder: RunFolder, **changes: object) -> RunFolder:
    (folder.path / "spec.json").write_bytes(json_with_digest(_described(folder) | changes))
    return folder


def _as_of_0_1(folder: RunFolder) -> RunFolder:
    described = _described(folder, "teacher", "made_of") | {"semantics": 3, "parents": [TEACHER.fingerprint]}
    (folder.path / "spec.json").write_text(json.dumps(described))
    return folder


def test_every_kind_of_parent_comes_back(store: Store) -> None:
    parts = replace(STUDENT, starts_from=BASELINE, made_of=(BASELINE, TEACHER))
    store.folder(parts).start(parts, {})
    again = recalled(store, store.folder(parts))
    assert again == parts
    assert (again.teacher, again.starts_from, again.made_of) == (TEACHER, BASELINE, (BASELINE, TEACHER))


def test_a_run_of_an_earlier_kdrun_is_named_as_such(store: Store) -> None:
    with pytest.raises(UserError, match=f"{STUDENT.run_id} was made by kdrun 0.1, whose runs cannot be continued"):
        recalled(store, _as_of_0_1(store.folder(STUDENT)))


def test_runs_of_an_earlier_kdrun_are_passed_over_for_the_latest(store: Store) -> None:
    _as_of_0_1(store.folder(STUDENT))
    assert latest(store, ("teacher", "student"), bool) == TEACHER
    with pytest.raises(UserError, match=r"was made by kdrun 0\.1"):
        latest(store, ("student",), bool)


def test_a_description_without_a_later_field_is_read_with_its_default(store: Store) -> None:
    folder = store.folder(TEACHER)
    (folder.path / "spec.json").write_bytes(json_with_digest(_described(folder, "starts_from")))
    assert recalled(store, folder) == TEACHER


def test_a_number_typed_in_another_way_describes_the_same_run(store: Store) -> None:
    again = recalled(store, _rewritten(store.folder(STUDENT), terms={"kd": {"tau": 4}}))
    assert again == STUDENT


@pytest.mark.parametrize(("role", "name"), [("starts_from", "the start of"), ("made_of", "a part of")])
def test_another_parent_that_is_missing_is_named(store: Store, role: str, name: str) -> None:
    other = replace(TEACHER, seed=9)
    spec = replace(BASELINE, **{role: (other,) if role == "made_of" else other})
    store.folder(spec).start(spec, {})
    with pytest.raises(UserError, match=f"{name} {spec.run_id} .*{other.fingerprint}.* is not under"):
        recalled(store, store.folder(spec))
