"""A store may come from anybody: what its specs name is not run, and refused in one line."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from calling import SUPPORT, Kdrun
from watching import watched

import kdrun
from kdrun.errors import UserError
from kdrun.runs.finding import named, recalled
from kdrun.runs.integrity import DIGEST, sha256
from kdrun.runs.spec import RunSpec
from kdrun.runs.store import Store
from kdrun.runs.trust import Trust, kdruns_own

SMALL = ("dataset=digits", "teacher=mlp30", "student=mlp30", "train=smoke", "seeds=[0]", "controls=[class_mean]")
MODEL = ("teacher", "model")
PLACES = {
    "source": ("teacher", "dataset.source"),
    "optimizer": ("teacher", "recipe.optimizer"),
    "schedule": ("teacher", "recipe.schedule"),
    "term": ("student", "terms.kd"),
    "mode": ("student", "mode"),
    "targets": ("control", "targets"),
    "course": ("student", "schedules.alpha"),
}

NAMES = [
    "builtins.eval",
    "builtins.exec",
    "builtins.print",
    "builtins.__import__",
    "os.system",
    "os.popen",
    "os.execv",
    "posix.system",
    "subprocess.Popen",
    "subprocess.run",
    "subprocess.check_output",
    "shutil.copy",
    "shutil.rmtree",
    "pathlib.Path.write_text",
    "runpy.run_path",
    "importlib.import_module",
    "pickle.loads",
    "pty.spawn",
    "antigravity.geohash",
    "webbrowser.open",
    "urllib.request.urlopen",
    "code.interact",
    "torch.load",
    "torch.save",
    "torch.hub.load",
    "torch.hub.download_url_to_file",
    "torch.utils.collect_env.run",
    "torch.utils.cpp_extension.load",
    "torch.nn.parallel.distributed.os.getpid",
    "torch.nn.modules.module.torch.load",
    "torch.nn.Linear",
    "torch.optim.SGD.__init__",
    "torch.optim.optimizer.torch.load",
    "numpy.savetxt",
    "numpy.load",
    "pandas.read_pickle",
    "yaml.unsafe_load",
    "hydra.utils.instantiate",
    "hydra.utils.call",
    "kdrun.cli.main",
    "kdrun.cli.cli",
    "kdrun.runs.atomic.write_text",
    "kdrun.runs.folder.RunFolder",
    "kdrun.models.mlp.torch.load",
    "kdrun.models.mlp.Mlp.__class__",
    "kdrun.models.mlp.Mlp.forward",
    "kdrun.models.zoo.torch.hub.load",
    "kdrun.models.mlp.require_counts",
    "kdrun.models.mlp.Mlp ",
    " kdrun.models.mlp.Mlp",
    "kdrun.models.mlp:Mlp",
    "kdrun..models.mlp.Mlp",
    "Kdrun.models.mlp.Mlp",
    "kdrun.models.mlp.Mlp\n",
    "kdrun.training.schedules.one_cycle",
    "kdrun.plans.offline.Offline",
    "lies_here.Net",
    "lies_here",
    "functools.partial",
    "",
    ".",
]

ELSEWHERE = [
    ("source", "torch.hub.load"),
    ("source", "kdrun.models.mlp.Mlp"),
    ("optimizer", "torch.optim.sgd.SGD"),
    ("optimizer", "torch.optim.lr_scheduler.LambdaLR"),
    ("optimizer", "lies_here.Net"),
    ("schedule", "torch.optim.SGD"),
    ("schedule", "os.system"),
    ("term", "subprocess.Popen"),
    ("term", "kdrun.modes.offline.Offline"),
    ("mode", "kdrun.plans.offline.Offline"),
    ("mode", "builtins.dict"),
    ("targets", "os.popen"),
    ("targets", "kdrun.knowledge.response.SoftTargets"),
    ("course", "kdrun.training.schedules.cosine"),
    ("course", "shutil.rmtree"),
]

SHELL = {"_target_": "os.system", "command": "touch sentinel"}
# Where in a description, what, and what is said of it.
NESTED = [
    ("model.hidden", SHELL, "as part of another object"),
    ("model.deep", {"a": [{"b": {"c": [[SHELL]]}}]}, "as part of another object"),
    ("model.inner", {"_target_": "kdrun.models.mlp.Mlp"}, "as part of another object"),
    ("dataset.source.extra", SHELL, "as part of another object"),
    ("recipe.optimizer.params", [SHELL], "as part of another object"),
    ("dataset.content.extra", SHELL, "names an object, where none belongs"),
    ("recipe.augment.extra", SHELL, "names an object, where none belongs"),
    ("examples.extra", SHELL, "names an object, where none belongs"),
    ("anything", SHELL, "names an object, where none belongs"),
    ("_target_", "os.system", "names an object, where none belongs"),
    ("model._target_", ["os.system"], "_target_ must be the dotted name of a class"),
    ("model._target_", {"_target_": "os.system"}, "_target_ must be the dotted name of a class"),
    ("model._target_", 7, "_target_ must be the dotted name of a class, got 7"),
    ("model._args_", ["touch sentinel"], "the key model._args_ is not taken from a finished run"),
    ("model._partial_", True, "the key model._partial_"),
    ("model._recursive_", False, "the key model._recursive_"),
    ("model._convert_", "all", "the key model._convert_"),
    ("model._call_", 1, "the key model._call_"),
    ("model.defaults", ["/os"], "the key model.defaults"),
    ("model.width", "${oc.env:HOME}", "model.width must be a plain value"),
    ("model.width", ["x${.name}"], "model.width.0 must be a plain value"),
    ("dataset.name", "${oc.env:HOME}", "must be a plain value"),
    ("model.width", "???", "must be a plain value"),
]

ODD = [
    ("kind", "boss", "kind must be a kind of run"),
    ("kind", ["teacher"], "kind must be a kind of run"),
    ("seed", "0", "seed must be a whole number of at least 0, got '0'"),
    ("seed", True, "seed must be a whole number"),
    ("data_seed", -1, "data_seed must be a whole number of at least 0"),
    ("dataset", [], "dataset must be a group of keys, got []"),
    ("dataset.name", "../../etc", "dataset.name must be letters"),
    ("dataset.source", "digits", "dataset.source must be a group"),
    ("dataset.mean", "x", "dataset.mean must be a list, each a number or null"),
    ("dataset.test_size", "x", "dataset.test_size must be a number or null"),
    ("train_size", 0.5, "train_size must be a whole number"),
    ("model", None, "model must be a group"),
    ("model.name", 7, "model.name must be letters"),
    ("model.name", "a/../../b", "model.name must be letters"),
    ("model.name", "\x1b[2Jred", "model.name must be letters, digits and any of _ . + -, got '\\x1b[2Jred'"),
    ("model.members", [1], "model.members must be a list, each a group of keys"),
    ("recipe", 1, "recipe must be a group"),
    ("recipe.epochs", "many", "recipe.epochs must be a whole number"),
    ("recipe.batch_size", 0, "recipe.batch_size must be a whole number of at least 1"),
    ("recipe.augment", [2], "recipe.augment must be a group"),
    ("recipe.augment.padding", 1.5, "recipe.augment.padding must be a whole number"),
    ("precision", "auto", "precision must be fp32, bf16 or fp16"),
    ("alpha", 2, "alpha must be between 0 and 1"),
    ("alpha", float("nan"), "alpha must be between 0 and 1"),
    ("terms", [], "terms must be a group"),
    ("terms.kd", "kd", "terms.kd must be a group"),
    ("terms.kd", {"tau": "four"}, "terms.kd.tau must be a number"),
    ("mode", "offline", "mode must be a group of keys or null"),
    ("mode", {"name": "m", "hears": [1]}, "mode.hears must be a list"),
    ("made_of", "abc", "made_of must be a list"),
    ("made_of", [{}], "made_of must be a list, each a text"),
    ("examples.omit", 3, "examples.omit must be a list"),
    ("schedules.alpha", {"name": "linear", "start": "x"}, "schedules.alpha.start must be a number"),
    ("model.\x1b]0;", {"_args_": 1}, "is not taken from a finished run"),
]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The outputs of a small distillation whose objects are all kdrun's own."""
    from kdrun.cli import main

    outputs = tmp_path_factory.mktemp("theirs") / "outputs"
    with pytest.raises(SystemExit) as ended:
        main(["distill", *SMALL, "alpha_schedule=linear", f"outputs={outputs}", "-q"])
    assert not ended.value.code
    for run in Store(outputs).folders():  # so that what is read later is loaded before
        recalled(Store(outputs), run)
    return outputs


@pytest.fixture
def outputs(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "outputs"))


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder, where modules are found; one of them lies there and leaves a file when it is imported."""
    (tmp_path / "lies_here.py").write_text(
        f"from pathlib import Path\nfrom torch import nn\nPath({str(tmp_path / 'sentinel')!r}).touch()\n"
        "class Net(nn.Module): ...\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path, ""])
    for name in [one for one in sys.modules if one.startswith(("lies_here", "mine_of_trust"))]:
        monkeypatch.delitem(sys.modules, name)
    return tmp_path


def _set(described: dict[str, Any], dotted: str, value: Any) -> None:
    *keys, last = dotted.split(".")
    for key in keys:
        described = described.setdefault(key, {})
    described[last] = value


def _read(folder: Path) -> dict[str, Any]:
    described = json.loads((folder / "spec.json").read_text())
    return {key: value for key, value in described.items() if key != DIGEST}


def _write(folder: Path, described: Mapping[str, Any]) -> None:
    """With a digest that fits, as an attacker would."""
    text = json.dumps({**described, DIGEST: ""}, indent=2)
    before = text[: text.rindex('""') + 1]
    (folder / "spec.json").write_text(f'{before}{sha256(before.encode())}"\n}}\n')


def forged(outputs: Path, kind: str, dotted: str, value: Any) -> Path:
    """A run whose description was changed; its folder is renamed so that its name fits, as an attacker would do it."""
    (folder,) = outputs.glob(f"runs/{kind}-*")
    described = _read(folder)
    _set(described, dotted, value)
    _write(folder, described)
    try:
        single = described["teacher"]
        teacher = None if single is None else recalled(Store(outputs), named(Store(outputs), single))
        values = {field.name: described[field.name] for field in fields(RunSpec)} | {"teacher": teacher, "made_of": ()}
        return folder.rename(folder.with_name(RunSpec(**values).run_id.replace("/", "_").replace("\x1b", "_")))
    except Exception:  # noqa: BLE001 - a description of which no run could be made
        return folder


def refused(folder: Path, trust: Trust = Trust()) -> str:  # noqa: B008
    """The line with which a run's description is refused; nothing may happen meanwhile."""
    from kdrun.runs.folder import RunFolder

    with watched() as events, pytest.raises(UserError) as caught:
        recalled(Store(folder.parent.parent), RunFolder(folder), trust)
    assert events == []
    assert len(caught.value.message.splitlines()) == 1
    return caught.value.message


@pytest.mark.parametrize("name", NAMES, ids=repr)
def test_nothing_but_kdruns_own_networks_is_a_network(outputs: Path, here: Path, name: str) -> None:
    loaded = set(sys.modules)
    line = refused(forged(outputs, *MODEL[:1], "model._target_", name))
    assert "spec.json: " in line
    assert ("as a network" in line and repr(name) in line) or "must be the dotted name of a class" in line
    assert set(sys.modules) == loaded
    assert not (here / "sentinel").exists()


@pytest.mark.parametrize(("place", "name"), ELSEWHERE)
@pytest.mark.usefixtures("here")
def test_an_object_may_stand_at_its_own_place_only(outputs: Path, place: str, name: str) -> None:
    kind, dotted = PLACES[place]
    assert f"it names {name!r} as " in refused(forged(outputs, kind, f"{dotted}._target_", name))


@pytest.mark.parametrize(("dotted", "value", "message"), NESTED, ids=[f"{key}={value}" for key, value, _ in NESTED])
@pytest.mark.usefixtures("here")
def test_names_are_judged_at_any_depth_and_hydras_own_keys_are_refused(
    outputs: Path, dotted: str, value: Any, message: str
) -> None:
    assert message in refused(forged(outputs, "teacher", dotted, value))


@pytest.mark.parametrize(("dotted", "value", "message"), ODD, ids=[f"{key!r}" for key, _, _ in ODD])
def test_what_is_no_description_is_refused_in_a_line(outputs: Path, dotted: str, value: Any, message: str) -> None:
    line = refused(forged(outputs, "teacher", dotted, value))
    assert message in line
    assert "\x1b" not in line


def test_what_is_nested_too_deep_is_refused(outputs: Path) -> None:
    deep: Any = []
    for _ in range(100):
        deep = [deep]
    assert "model.extra.0 is nested deeper than 20 levels" in refused(forged(outputs, "teacher", "model.extra", deep))


@pytest.mark.parametrize("content", ["[]", "7", "null", '"text"'])
def test_what_is_no_group_of_keys_is_refused(outputs: Path, content: str) -> None:
    (folder,) = outputs.glob("runs/teacher-*")
    (folder / "spec.json").write_text(content)
    assert "spec.json is damaged or missing" in refused(folder)


@pytest.mark.parametrize("place", sorted(PLACES))
def test_a_parents_description_is_judged_as_well(outputs: Path, here: Path, place: str) -> None:
    kind, dotted = PLACES[place]
    (student,) = outputs.glob("runs/student-*")
    (teacher,) = outputs.glob("runs/teacher-*")
    spec = _read(student if kind == "student" else teacher)
    _set(spec, f"{dotted}._target_", "lies_here.Net")
    _write(teacher, spec | {"teacher": None})
    assert f"{teacher.name}/spec.json: it names 'lies_here.Net'" in refused(student)
    assert not (here / "sentinel").exists()


def test_a_run_that_is_its_own_parent_is_refused(outputs: Path) -> None:
    (student,) = outputs.glob("runs/student-*")
    (teacher,) = outputs.glob("runs/teacher-*")
    described = _read(teacher)
    for parent in (teacher, student):
        _write(teacher, described | {"teacher": parent.name.rpartition("-")[2]})
        assert "describes a run that is its own parent" in refused(student)


def test_a_line_of_parents_without_end_is_refused(outputs: Path) -> None:
    (teacher,) = outputs.glob("runs/teacher-*")
    described = _read(teacher)
    for number in range(200):
        folder = outputs / "runs" / f"teacher-x-{number}"
        folder.mkdir()
        (folder / "result.json").write_text("{}")
        _write(folder, described | {"teacher": f"x-{number + 1}"})
    assert "is a parent of a parent, 100 times over" in refused(outputs / "runs" / "teacher-x-0")


def test_parents_that_share_parents_are_read_once(outputs: Path) -> None:
    (folder,) = outputs.glob("runs/teacher-*")
    described = _read(folder)
    values = {field.name: described[field.name] for field in fields(RunSpec)}
    pair: tuple[RunSpec, ...] = ()
    for _ in range(30):  # read one by one, 2**30 descriptions
        pair = tuple(RunSpec(**values | {"made_of": pair, "seed": seed}) for seed in (0, 1))
        for spec in pair:
            Store(outputs).folder(spec).start(spec, {})
            (Store(outputs).folder(spec).path / "result.json").write_text("{}")
    assert recalled(Store(outputs), Store(outputs).folder(pair[0])) == pair[0]


def test_every_target_that_plans_write_into_specs_is_known() -> None:
    folder = Path(kdrun.__file__).parent / "plans"
    written = {name for path in folder.glob("*.py") for name in re.findall(r'_target_": "([\w.]+)"', path.read_text())}
    assert written
    assert written <= {name for _, name in kdruns_own()}


def test_every_object_of_kdruns_own_is_there_and_fits_its_place() -> None:
    for place, name in sorted(kdruns_own(), key=str):
        assert Trust(names=frozenset([(place, name)]))._misfit(str(place), name) is None


# Through the command line.

COMMANDS: list[Callable[[Path, str], tuple[str, ...]]] = [
    lambda outputs, run: ("explain", "--text", f"outputs={outputs}"),
    lambda outputs, run: ("explain", run, f"outputs={outputs}"),
    lambda outputs, run: ("train-teacher", *SMALL, f"teachers=[{run}]", f"outputs={outputs}"),
    lambda outputs, run: ("distill", *SMALL, f"teachers=[{run},mlp64]", f"outputs={outputs}", "--dry-run"),
    lambda outputs, run: ("sweep", *SMALL, f"teachers=[{run}]", "tau=1,2", f"outputs={outputs}"),
    lambda outputs, run: ("bench", *SMALL[:-1], f"teachers=[{run}]", f"outputs={outputs}"),
]


@pytest.mark.parametrize("command", COMMANDS, ids=["latest", "named", "train-teacher", "distill", "sweep", "bench"])
@pytest.mark.parametrize(
    "model",
    [
        {"_target_": "os.system", "command": "touch sentinel"},
        {"_target_": "subprocess.Popen", "args": ["touch", "sentinel"]},
        {"_target_": "kdrun.runs.atomic.write_text", "path": "sentinel", "text": ""},
        {"_target_": "lies_here.Net"},
        {"_target_": "kdrun.models.mlp.Mlp", "widths": [8], "extra": SHELL},
    ],
    ids=lambda model: str(model["_target_"]),
)
def test_a_command_runs_nothing_that_a_store_names(
    kdrun: Kdrun, outputs: Path, here: Path, command: Callable[[Path, str], tuple[str, ...]], model: dict[str, Any]
) -> None:
    run = forged(outputs, "teacher", "model", {"name": "mlp30", **model})
    for path in outputs.glob("runs/*-*"):
        if path != run:
            shutil.rmtree(path)
    before = sorted(outputs.rglob("*"))
    ended = kdrun(*command(outputs, run.name))
    assert (ended.code, ended.out) == (2, "")
    assert len(ended.err.splitlines()) == 1
    assert "spec.json: it names" in ended.err
    assert not (here / "sentinel").exists()
    assert "lies_here" not in sys.modules
    assert sorted(outputs.rglob("*")) == before


def test_a_folders_name_does_not_reach_the_terminal_as_it_is(kdrun: Kdrun, outputs: Path) -> None:
    folder = forged(outputs, "teacher", "model._target_", "os.system")
    folder.rename(folder.with_name("teacher-\x1b[2J-1"))
    ended = kdrun("explain", "teacher")
    assert (ended.code, "teacher-?[2J-1" in ended.err, "\x1b" in ended.err) == (2, True, False)


def test_a_module_in_the_store_is_not_imported_where_the_store_is_the_working_folder(
    kdrun: Kdrun, outputs: Path, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.move(here / "lies_here.py", outputs / "lies_here.py")
    run = forged(outputs, "teacher", "model._target_", "lies_here.Net").name
    monkeypatch.chdir(outputs)
    ended = kdrun("explain", "--text", "outputs=.", run)
    assert ended.code == 2
    assert "if you trust " in ended.err
    assert f"{outputs / 'lies_here.py'}, add --trust lies_here, or --config-dir DIR" in ended.err
    assert not (here / "sentinel").exists()


# What a user trusts.

OWN = """
import os
import os.path as paths
from subprocess import Popen
from torch import nn
from torch.nn import Linear
from torch.optim import SGD
from kdrun.models.mlp import Mlp

class Net(Mlp):
    class Inner(Mlp): ...

class Rule(SGD): ...

class Plain: ...

class Spoofed(nn.Module): ...
Spoofed.__module__ = "elsewhere"

Alias = Net
instance = Linear(1, 1)
calls = lambda **given: os.system("touch sentinel")

def network(**given):
    return Net(**given)
"""


NUMBERS = "dropout: 0.0\ninput_dropout: 0.0\nmax_norm: null\n"


@pytest.fixture
def own(here: Path) -> Path:
    """A user's module and configuration."""
    (here / "mine_of_trust.py").write_text(OWN)
    (here / "mine_of_trust_too.py").write_text("raise RuntimeError('imported')")
    (here / "mine_of_trust_pkg").mkdir()
    (here / "mine_of_trust_pkg" / "__init__.py").write_text("")
    (here / "mine_of_trust_pkg" / "sub.py").write_text("from kdrun.models.mlp import Mlp\nclass Net(Mlp): ...\n")
    (here / "cfg" / "model").mkdir(parents=True)
    for name, target in (("mine", "Net"), ("made", "network")):
        file = here / "cfg" / "model" / f"{name}.yaml"
        file.write_text(f"name: {name}\n_target_: mine_of_trust.{target}\nwidths: [8]\n{NUMBERS}")
    return here


MINE = Trust.of(["mine_of_trust"])


@pytest.mark.parametrize(
    ("trust", "place", "name"),
    [
        (["mine_of_trust"], "model", "mine_of_trust.Net"),
        (["mine_of_trust"], "model", "mine_of_trust.Net.Inner"),
        (["mine_of_trust"], "optimizer", "mine_of_trust.Rule"),
        (["mine_of_trust.Net"], "model", "mine_of_trust.Net"),
        (["mine_of_trust.network"], "model", "mine_of_trust.network"),
        (["mine_of_trust_pkg", "mine_of_trust_pkg.sub"], "model", "mine_of_trust_pkg.sub.Net"),
        (["torch.optim.LBFGS"], "optimizer", "torch.optim.LBFGS"),
        (["torch.optim.lbfgs"], "optimizer", "torch.optim.lbfgs.LBFGS"),
    ],
)
@pytest.mark.usefixtures("own")
def test_what_the_user_trusts_is_taken(outputs: Path, trust: list[str], place: str, name: str) -> None:
    kind, dotted = MODEL if place == "model" else PLACES[place]
    folder = forged(outputs, kind, f"{dotted}._target_", name)
    assert recalled(Store(outputs), named(Store(outputs), folder.name), Trust.of(trust)).run_id == folder.name
    assert f"it names {name!r}" in refused(folder)


@pytest.mark.parametrize(
    ("place", "name", "message"),
    [
        ("model", "mine_of_trust.os.system", "itself defines no class of this name"),
        ("model", "mine_of_trust.paths.os.system", "itself defines no class of this name"),
        ("model", "mine_of_trust.Popen", "itself defines no class of this name"),
        ("model", "mine_of_trust.Linear", "itself defines no class of this name"),
        ("model", "mine_of_trust.Mlp", "itself defines no class of this name"),
        ("model", "mine_of_trust.nn.Linear", "itself defines no class of this name"),
        ("model", "mine_of_trust.Alias", "itself defines no class of this name"),
        ("model", "mine_of_trust.Spoofed", "itself defines no class of this name"),
        ("model", "mine_of_trust.instance", "itself defines no class of this name"),
        ("model", "mine_of_trust.instance.forward", "itself defines no class of this name"),
        ("model", "mine_of_trust.calls", "itself defines no class of this name"),
        ("model", "mine_of_trust.Absent", "itself defines no class of this name"),
        ("model", "mine_of_trust.Net.mro", "itself defines no class of this name"),
        ("model", "mine_of_trust.Net.__init__", "itself defines no class of this name"),
        ("model", "mine_of_trust.Net.__class__", "itself defines no class of this name"),
        ("model", "mine_of_trust.network.__globals__", "itself defines no class of this name"),
        ("model", "mine_of_trust.network", "of a function the full name is needed; add --trust mine_of_trust.network"),
        ("model", "mine_of_trust.Plain", "it must be a subclass of torch.nn.Module"),
        ("model", "mine_of_trust.Rule", "it must be a subclass of torch.nn.Module"),
        ("optimizer", "mine_of_trust.Net", "it must be a subclass of torch.optim.Optimizer"),
        ("optimizer", "mine_of_trust.SGD", "itself defines no class of this name"),
        ("source", "mine_of_trust.Net", "it must be a class with the methods identity and load"),
        ("mode", "mine_of_trust.Plain", "it must be a class with the method losses"),
        ("targets", "mine_of_trust.Plain", "it must be a class with the method signals"),
        ("term", "mine_of_trust.Plain", "it must be a class whose objects can be called"),
        ("model", "mine_of_trust_too.Net", "it names 'mine_of_trust_too.Net' as a network"),
        ("model", "mine_of_trust", "_target_ must be the dotted name of a class, got 'mine_of_trust'"),
        ("model", "mine_of_trust_pkg.sub.Net", "add --trust mine_of_trust_pkg.sub"),
    ],
)
@pytest.mark.usefixtures("own")
def test_a_trusted_module_lends_its_own_classes_and_nothing_that_it_imports(
    outputs: Path, place: str, name: str, message: str
) -> None:
    from kdrun.runs.folder import RunFolder

    kind, dotted = MODEL if place == "model" else PLACES[place]
    folder = forged(outputs, kind, f"{dotted}._target_", name)
    with pytest.raises(UserError, match=re.escape(message)):
        recalled(Store(outputs), RunFolder(folder), MINE)
    assert "mine_of_trust_too" not in sys.modules
    assert not Path("sentinel").exists()


def test_nothing_is_imported_before_all_names_are_judged(outputs: Path, own: Path) -> None:
    folder = forged(outputs, "teacher", "model", {"name": "m", "_target_": "mine_of_trust.Net", "inner": SHELL})
    assert "'os.system' as part of another object" in refused(folder, MINE)
    assert "mine_of_trust" not in sys.modules


def test_a_trusted_module_that_fails_is_named_with_its_line(outputs: Path, own: Path) -> None:
    from kdrun.runs.folder import RunFolder

    folder = forged(outputs, "teacher", "model._target_", "mine_of_trust_too.Net")
    with pytest.raises(UserError, match=r"cannot import mine_of_trust_too, which you trust: RuntimeError: imported \("):
        recalled(Store(outputs), RunFolder(folder), Trust.of(["mine_of_trust_too"]))


@pytest.mark.parametrize(
    ("trusted", "message"),
    [
        ("os", "--trust os: that is Python's own and can do anything; name a module of yours"),
        ("subprocess.Popen", "that is Python's own"),
        ("my module", "--trust takes the name of a module, such as my_module, got 'my module'"),
        ("my_module.py/", "--trust takes the name of a module"),
        ("", "--trust takes the name of a module"),
    ],
)
def test_only_a_module_of_ones_own_can_be_trusted(kdrun: Kdrun, trusted: str, message: str) -> None:
    ended = kdrun("explain", "--trust", trusted)
    assert (ended.code, len(ended.err.splitlines())) == (2, 1)
    assert message in ended.err


@pytest.mark.parametrize("model", ["mine", "made"])
def test_a_run_of_ones_own_class_is_explained_and_teaches_by_config_dir_or_trust(
    kdrun: Kdrun, own: Path, model: str
) -> None:
    target = "mine_of_trust.network" if model == "made" else "mine_of_trust"
    assert kdrun("train-teacher", *SMALL[:1], "train=smoke", "--config-dir", "cfg", f"teacher={model}").code == 0
    (run,) = (path.name for path in own.glob("outputs/runs/teacher-*"))
    bare = kdrun("explain", "--text")
    assert (bare.code, len(bare.err.splitlines())) == (2, 1)
    assert f"if you trust {own / 'mine_of_trust.py'}, add --trust mine_of_trust, or --config-dir DIR" in bare.err
    for words in (("--trust", target), ("--config-dir", "cfg")):
        assert kdrun("explain", "--text", *words).code == 0
        taught = kdrun("train-teacher", *SMALL, f"teachers=[{run}]", *words)
        assert (taught.code, taught.err) == (0, "")
    page = kdrun("explain", "--trust", target).out.strip()
    assert f"kdrun explain --trust {target} {run}" in Path(page).read_text()
    assert os.listdir("outputs/runs") == [run]  # noqa: PTH208


def test_the_toy_folder_of_the_tests_trusts_its_own_modules() -> None:
    trust = Trust.of([], [SUPPORT / "conf"])
    assert {"toy", "my_loss"} <= trust.modules
    assert not {"torch.optim", "kdrun.training.schedules"} & trust.modules
    assert ("source", "toy.Blobs") in trust.names


def test_a_file_of_the_users_that_cannot_be_read_names_nothing_and_a_missing_folder_is_told(own: Path) -> None:
    (own / "cfg" / "model" / "broken.yaml").write_text("name: [mine\n")
    (own / "cfg" / "model" / "list.yaml").write_text("- _target_: os.system\n")
    assert Trust.of([], [own / "cfg"]).modules == {"mine_of_trust"}
    with pytest.raises(UserError, match="no config folder nowhere; name a folder that exists with --config-dir"):
        Trust.of([], [Path("nowhere")])
