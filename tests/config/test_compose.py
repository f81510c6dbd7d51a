"""Composition: every file of conf/ works in its place, and every mistake is one line that says what to type."""

from __future__ import annotations

from pathlib import Path

import pytest

from kdrun.config.compose import Composer
from kdrun.config.files import groups
from kdrun.config.grid import one_point
from kdrun.config.schema import Config
from kdrun.errors import UserError


@pytest.fixture(scope="module")
def composer() -> Composer:
    return Composer()


def _config(composer: Composer, *overrides: str) -> Config:
    return composer.config(one_point(overrides, composer.groups, "distill"))


def test_the_defaults_are_what_the_readme_says(composer: Composer) -> None:
    config = _config(composer)
    assert (config.tau, config.alpha, config.seeds) == (4, 0.7, [0, 1, 2])
    assert (config.dataset.name, config.train_size, config.teacher_train_size) == ("mnist5k", 1000, None)
    assert list(config.knowledge) == ["kd"]


@pytest.mark.parametrize(("group", "option"), [(g, o) for g, names in groups().items() for o in names])
def test_every_option_composes_in_its_group(composer: Composer, group: str, option: str) -> None:
    assert getattr(_config(composer, f"{group}={option}"), group)


def test_terms_add_up_and_each_reads_the_one_temperature(composer: Composer) -> None:
    config = _config(composer, "knowledge=[response/kd,feature/attention]", "tau=8")
    assert list(config.knowledge) == ["kd", "attention"]
    assert config.knowledge["kd"]["tau"] == 8


def test_a_terms_own_number_can_be_set(composer: Composer) -> None:
    assert _config(composer, "knowledge.kd.weight=2.5").knowledge["kd"]["weight"] == 2.5


def test_teacher_and_student_choose_from_the_same_files(composer: Composer) -> None:
    config = _config(composer, "teacher=resnet56", "student=resnet20", "student.depth=14")
    assert (config.teacher["depth"], config.student["depth"]) == (56, 14)


def test_a_data_set_says_how_much_of_it_students_see_unless_told(composer: Composer) -> None:
    assert _config(composer, "dataset=mnist").train_size is None
    assert _config(composer, "dataset=mnist", "train_size=500").train_size == 500


def test_points_that_differ_in_values_only_are_composed_once(
    composer: Composer, monkeypatch: pytest.MonkeyPatch
) -> None:
    fresh, calls = Composer(), []
    compose = fresh._compose
    monkeypatch.setattr(fresh, "_compose", lambda choices: calls.append(choices) or compose(choices))
    assert [_config(fresh, f"tau={tau}").tau for tau in (1, 2, 4)] == [1, 2, 4]
    assert len(calls) == 1


def test_a_users_folder_adds_options_to_both_roles(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "mine.yaml").write_text("# Mine\nname: mine\n_target_: my.Net\n")
    mine = Composer([tmp_path])
    assert _config(mine, "student=mine", "teacher=mine").student == {"name": "mine", "_target_": "my.Net"}


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("tau=0", "tau must be > 0, got 0"),
        ("tau=-1", "tau must be > 0, got -1"),
        ("tau=abc", "tau must be a number, got 'abc'"),
        ("tau=nan", "tau must be > 0"),
        ("alpha=1.5", "alpha must be between 0 (labels only) and 1 (teacher only), got 1.5"),
        ("taau=4", "unknown key 'taau'; did you mean tau?"),
        ("student.dropuot=0.1", "unknown key 'student.dropuot'; did you mean student.dropout?"),
        ("knowledge.kd.tua=2", "unknown key 'knowledge.kd.tua'; did you mean knowledge.kd.tau?"),
        ("lr=0.1", "unknown key 'lr'; did you mean train.teacher.optimizer.lr?"),
        ("student.dropout=high", "student.dropout must be a number, got 'high'"),
        ("train.student.optimizer.lr=fast", "train.student.optimizer.lr must be a number, got 'fast'"),
        ("train.student.epochs=1.5", "train.student.epochs must be a whole number, got 1.5"),
        ("train.student.epochs=0", "train.student.epochs must be at least 1, got 0"),
        ("train.student=3", "train.student must be a group of keys, not one value, got 3"),
        ("train.student.augment.flip=7", "train.student.augment.flip must be true or false, got 7"),
        ("seeds=3", "seeds must be a list, such as seeds=[0,1,2], got 3"),
        ("seeds=[]", "seeds is empty"),
        ("seeds=[1,1]", "seeds must differ from each other"),
        ("seeds=[-1]", "seeds must be at least 0, got -1"),
        ("train_size=0", "train_size must be at least 1, got 0"),
        ("precision=fp8", "precision must be one of fp32, bf16, got 'fp8'"),
        ("knowledge=[]", "knowledge is empty"),
        ("dataset=mnst", "unknown dataset 'mnst'; did you mean dataset=mnist?"),
    ],
)
def test_a_mistake_is_one_line_that_says_what_to_type(composer: Composer, override: str, message: str) -> None:
    with pytest.raises(UserError) as refused:
        _config(composer, override)
    assert message in refused.value.message
    assert "\n" not in refused.value.message


def test_a_damaged_file_of_the_users_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "mine.yaml").write_text("name: [mine\n")
    with pytest.raises(UserError, match="cannot compose student=mine"):
        _config(Composer([tmp_path]), "student=mine")


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no config folder .*nowhere"):
        Composer([tmp_path / "nowhere"])
