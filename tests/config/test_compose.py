"""Composition: every file of conf/ works in its place, and every mistake is one line that says what to type."""

from __future__ import annotations

from pathlib import Path

import pytest

from kdrun.config.compose import Composer
from kdrun.config.files import conf_dir, groups
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
        ("tau=nan", "tau must be finite, got nan"),
        ("alpha=inf", "alpha must be finite, got inf"),
        ("knowledge.kd.weight=nan", "knowledge.kd.weight must be finite, got nan"),
        ("student.widths=[64,inf]", "student.widths must be finite, got inf"),
        ("tau=null", "tau must have a value, got null"),
        ("knowledge.kd.tau=null", "knowledge.kd.tau must have a value, got null"),
        ("controls.label_smoothing=null", "controls.label_smoothing must have a value, got null"),
        ("knowledge.kd.warmup_epochs=1.5", "knowledge.kd.warmup_epochs must be a whole number, got 1.5"),
        ("executor.max_group=1.5", "executor.max_group must be a whole number, got 1.5"),
        ("controls.label_smoothing.alpha=5", "controls.label_smoothing.alpha must be between 0 and 1, got 5"),
        ("controls.label_smoothing.knowledge=3", "must be a list or a group of keys, got 3"),
        ("dataset.name=a/b", "dataset.name must be letters, digits and any of _ . + -, got 'a/b'"),
        ("teacher.name=", "teacher.name must be letters, digits and any of _ . + -, got ''"),
        ("student.name=null", "student.name must have a value, got null"),
        ("mode.name='a b'", "mode.name must be letters, digits and any of _ . + -, got 'a b'"),
        ("seeds=[9007199254740993]", "seeds must be at most 9007199254740992, got 9007199254740993"),
        ("teacher_seed=9007199254740993", "teacher_seed must be at most 9007199254740992, got 9007199254740993"),
        ("data_seed=-1", "data_seed must be at least 0, got -1"),
        ("outputs=", "outputs is empty; name a folder, such as outputs=outputs"),
        ("executor.max_group=0", "executor.max_group must be at least 1, got 0"),
        ("executor.state_every_s=-1", "executor.state_every_s must be at least 0, got -1"),
        ("executor.stack_up_to=-1", "executor.stack_up_to must be at least 0, got -1"),
        ("executor.memory_share=0", "executor.memory_share must be above 0 and at most 1, got 0"),
        ("executor.memory_share=1.5", "executor.memory_share must be above 0 and at most 1, got 1.5"),
        ("control=[label_smoothing]", "unknown key 'control'; did you mean controls?"),
        ("datset=mnist", "unknown key 'datset'; did you mean dataset?"),
        ("mode.generations=3", "unknown key 'mode.generations'; it is a key of mode=born_again"),
        ("tau_schedule.start=3", "it is a key of tau_schedule=cosine and of tau_schedule=linear"),
        ("temperature=3", "unknown key 'temperature'; did you mean tau?"),
        ("workers=2", "unknown key 'workers'; did you mean executor.workers?"),
        ("epochs=3", "unknown key 'epochs'; did you mean train.student.epochs?"),
        ("alpha=1.5", "alpha must be between 0 (labels only) and 1 (teacher only), got 1.5"),
        ("taau=4", "unknown key 'taau'; did you mean tau?"),
        ("student.dropuot=0.1", "unknown key 'student.dropuot'; did you mean student.dropout?"),
        ("knowledge.kd.tua=2", "unknown key 'knowledge.kd.tua'; did you mean knowledge.kd.tau?"),
        ("lr=0.1", "unknown key 'lr'; did you mean train.student.optimizer.lr?"),
        ("student.dropout=high", "student.dropout must be a number, got 'high'"),
        ("train.student.optimizer.lr=fast", "train.student.optimizer.lr must be a number, got 'fast'"),
        ("train.student.epochs=1.5", "train.student.epochs must be a whole number, got 1.5"),
        ("train.student.epochs=0", "train.student.epochs must be at least 1, got 0"),
        ("train.student=3", "train.student must be a group of keys, not one value, got 3"),
        ("train.student.augment.flip=7", "train.student.augment.flip must be true or false, got 7"),
        ("seeds=3", "seeds must be a list, written seeds=[...], got 3"),
        ("teachers=mlp30", "teachers must be a list, written teachers=[...], got 'mlp30'"),
        ("teachers=[[mlp30]]", "teachers must be a list of names, such as teachers=[mlp300,mlp64], got [['mlp30']]"),
        ("teacher.mean=median", "teacher.mean must be arithmetic or geometric, got 'median'"),
        ("teacher.members=0", "teacher.members must be at least 1, got 0"),
        ("seeds=[]", "seeds is empty"),
        ("seeds=[1,1]", "seeds must differ from each other"),
        ("seeds=[-1]", "seeds must be at least 0, got -1"),
        ("train_size=0", "train_size must be at least 1, got 0"),
        ("precision=fp8", "precision must be one of auto, fp32, bf16, fp16, got 'fp8'"),
        ("cuda_graphs=true", "cuda_graphs=true needs compile=true"),
        ("knowledge=[]", "knowledge is empty"),
        ("dataset=mnst", "unknown dataset 'mnst'; did you mean dataset=mnist?"),
    ],
)
def test_a_mistake_is_one_line_that_says_what_to_type(composer: Composer, override: str, message: str) -> None:
    with pytest.raises(UserError) as refused:
        _config(composer, override)
    assert message in refused.value.message
    assert "\n" not in refused.value.message


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"name: [mine\n", "line 2: expected ',' or ']', but got '<stream end>'"),
        (b"# caf\xe9\nname: mine\n", "'utf-8' codec can't decode byte 0xe9 in position 5: invalid continuation byte"),
        (b"- 1\n", "it must hold keys and values, such as `name: mine`"),
    ],
)
def test_a_damaged_file_of_the_users_is_named(tmp_path: Path, content: bytes, reason: str) -> None:
    path = _own_model(tmp_path, "mine")
    path.write_bytes(content)
    with pytest.raises(UserError) as refused:
        _config(Composer([tmp_path]), "student=mine")
    assert refused.value.message == f"cannot read {path}: {reason}"


@pytest.mark.parametrize("name", ["it's", "a, b", "a\\'b", "ends\\"])
def test_a_users_folder_may_have_any_name(tmp_path: Path, name: str) -> None:
    _own_model(tmp_path / name, "mine")
    assert _config(Composer([tmp_path / name]), "student=mine").student["name"] == "mine"


def test_a_users_file_with_the_name_of_a_built_in_option_is_refused(tmp_path: Path) -> None:
    path = _own_model(tmp_path, "mlp64")
    with pytest.raises(UserError) as refused:
        Composer([tmp_path])
    built_in = conf_dir() / "model" / "mlp64.yaml"
    assert refused.value.message == f"{path} has the name of {built_in}; give your file another name"


def test_the_same_folder_twice_is_the_same_folder(tmp_path: Path) -> None:
    _own_model(tmp_path, "mine")
    assert "mine" in Composer([tmp_path, tmp_path]).groups["student"]


def test_a_control_without_a_package_line_is_told_how_its_file_begins(tmp_path: Path) -> None:
    (tmp_path / "controls").mkdir()
    (tmp_path / "controls" / "mine.yaml").write_text("targets: null\nalpha: 1.0\nknowledge: {}\n")
    with pytest.raises(UserError, match=r"begin its file with `# @package controls\.NAME`"):
        _config(Composer([tmp_path]), "controls=[mine]")


@pytest.mark.parametrize("override", ["teacher.max_norm=null", "train_size=null", "dataset.validation_size=0.1"])
def test_null_and_fractions_are_taken_where_they_mean_something(composer: Composer, override: str) -> None:
    assert _config(composer, "teacher=mlp1200", override)


def _own_model(folder: Path, name: str) -> Path:
    (folder / "model").mkdir(parents=True)
    path = folder / "model" / f"{name}.yaml"
    path.write_text(f"name: {name}\n_target_: my.Net\n")
    return path


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no config folder .*nowhere"):
        Composer([tmp_path / "nowhere"])
