"""Users' own code and files belong to a run's identity."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from watching import watched

from kdrun.errors import UserError
from kdrun.runs import code
from kdrun.runs.code import digests, file_of, with_contents
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
TARGET = {"_target_": "my_net_for_a_test.Net"}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.syspath_prepend(str(tmp_path / "path"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "path").mkdir()
    return tmp_path / "path"


@pytest.fixture
def source(folder: Path) -> Path:
    path = folder / "my_net_for_a_test.py"
    path.write_text("class Net: ...\n")
    return path


def _write(folder: Path, files: Mapping[str, str]) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


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


# How a module can come by another: its text, the other files, and which of these it depends on.
IMPORTS = {
    "import": ("import helper_t", {"helper_t.py": ""}, ["helper_t.py"]),
    "as": ("import helper_t as h, os", {"helper_t.py": ""}, ["helper_t.py"]),
    "from": ("from helper_t import WIDTH", {"helper_t.py": ""}, ["helper_t.py"]),
    "star": ("from helper_t import *", {"helper_t.py": ""}, ["helper_t.py"]),
    "in a function": ("def f():\n    if f:\n        import helper_t", {"helper_t.py": ""}, ["helper_t.py"]),
    "where it may fail": ("try:\n    import helper_t\nexcept ImportError: ...", {"helper_t.py": ""}, ["helper_t.py"]),
    "by name": ("import importlib\nx = importlib.import_module('helper_t')", {"helper_t.py": ""}, ["helper_t.py"]),
    "by its short name": (
        "from importlib import import_module as i, import_module\nimport_module('pkg_t.sub')",
        {"pkg_t/__init__.py": "", "pkg_t/sub.py": ""},
        ["pkg_t/__init__.py", "pkg_t/sub.py"],
    ),
    "dunder": ("__import__('helper_t')", {"helper_t.py": ""}, ["helper_t.py"]),
    "a submodule": (
        "import pkg_t.sub.deep",
        {"pkg_t/__init__.py": "", "pkg_t/sub/__init__.py": "", "pkg_t/sub/deep.py": ""},
        ["pkg_t/__init__.py", "pkg_t/sub/__init__.py", "pkg_t/sub/deep.py"],
    ),
    "a submodule as an attribute": (
        "from pkg_t import sub",
        {"pkg_t/__init__.py": "", "pkg_t/sub.py": ""},
        ["pkg_t/__init__.py", "pkg_t/sub.py"],
    ),
    "through another": ("import a_t", {"a_t.py": "import b_t", "b_t.py": ""}, ["a_t.py", "b_t.py"]),
    "relative": (
        "from pkg_t.one import f",
        {
            "pkg_t/__init__.py": "from .two import g",
            "pkg_t/one.py": "from .four import h",
            "pkg_t/two.py": "from . import three",
            "pkg_t/three.py": "",
            "pkg_t/four/__init__.py": "from ..five import i\nfrom .six import j",
            "pkg_t/five.py": "",
            "pkg_t/four/six.py": "import importlib\nimportlib.import_module('..seven', __package__)",
            "pkg_t/seven.py": "",
        },
        [
            "pkg_t/__init__.py",
            "pkg_t/one.py",
            "pkg_t/two.py",
            "pkg_t/three.py",
            "pkg_t/four/__init__.py",
            "pkg_t/five.py",
            "pkg_t/four/six.py",
            "pkg_t/seven.py",
        ],
    ),
    "a namespace": ("import space_t.inner.mod", {"space_t/inner/mod.py": ""}, ["space_t/inner/mod.py"]),
    "in a circle": ("import a_t", {"a_t.py": "import b_t", "b_t.py": "import a_t, my_net_for_a_test"}, ["a_t.py"]),
    "beside what is not there": ("import not_there, helper_t\nfrom .. import x", {"helper_t.py": ""}, ["helper_t.py"]),
    "a package before a module": (
        "import both_t",
        {"both_t/__init__.py": "", "both_t.py": "never read"},
        ["both_t/__init__.py"],
    ),
}


@pytest.mark.parametrize(("text", "files", "needed"), IMPORTS.values(), ids=IMPORTS)
def test_every_file_that_a_class_depends_on_counts_and_no_other(
    source: Path, text: str, files: dict[str, str], needed: list[str]
) -> None:
    folder = source.parent
    source.write_text(f"{text}\nclass Net: ...\n")
    _write(folder, files | {"beside_t.py": ""})
    loaded, before = set(sys.modules), digests(TARGET)
    for name in (*files, "beside_t.py"):
        whole = (folder / name).read_text()
        (folder / name).write_text(f"{whole}\nCHANGED = True")
        is_needed = name in needed or (name == "b_t.py" and "a_t.py" in needed)
        assert (digests(TARGET) != before) is is_needed, name
        (folder / name).write_text(whole)
    assert digests(TARGET) == before
    assert set(sys.modules) == loaded


def test_a_file_that_cannot_be_parsed_counts_without_its_imports(source: Path) -> None:
    source.write_text("import helper_t\n")
    _write(source.parent, {"helper_t.py": "import other_t\ndef f(:", "other_t.py": ""})
    before = digests(TARGET)
    (source.parent / "other_t.py").write_text("changed")
    assert digests(TARGET) == before
    source.write_text("import helper_t\ndef f(:")
    assert digests(TARGET) != before


def test_the_class_itself_counts_wherever_it_lies_and_libraries_that_it_imports_do_not(folder: Path) -> None:
    installed = folder / "site-packages"
    _write(installed, {"net_of_a_library_t.py": "import library_t", "library_t.py": ""})
    sys.path.insert(0, str(installed))
    try:
        target = {"_target_": "net_of_a_library_t.Net"}
        before = digests(target)
        assert list(before) == ["net_of_a_library_t"]
        (installed / "library_t.py").write_text("changed")
        assert digests(target) == before
        (installed / "net_of_a_library_t.py").write_text("changed")
        assert digests(target) != before
    finally:
        sys.path.remove(str(installed))


def test_a_library_that_a_users_class_imports_does_not_count(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed = tmp_path / "site-packages"
    _write(installed, {"library_t.py": ""})
    monkeypatch.setattr(sys, "path", [*sys.path, str(installed)])
    source.write_text("import library_t, json")
    before = digests(TARGET)
    (installed / "library_t.py").write_text("changed")
    assert digests(TARGET) == before


def test_the_packages_of_a_class_count(folder: Path) -> None:
    _write(
        folder, {"pkg_t/__init__.py": "", "pkg_t/sub/__init__.py": "", "pkg_t/sub/net.py": "", "pkg_t/beside.py": ""}
    )
    seen = [digests({"_target_": "pkg_t.sub.net.Net"})]
    for name in ("pkg_t/__init__.py", "pkg_t/sub/__init__.py"):
        (folder / name).write_text("changed")
        seen.append(digests({"_target_": "pkg_t.sub.net.Net"}))
    (folder / "pkg_t/beside.py").write_text("changed")
    assert digests({"_target_": "pkg_t.sub.net.Net"}) == seen[-1]
    assert seen[0] != seen[1] != seen[2]


def test_where_the_files_lie_does_not_matter(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source.write_text("import pkg_t.sub")
    _write(source.parent, {"pkg_t/__init__.py": "", "pkg_t/sub.py": ""})
    before = digests(TARGET)
    shutil.move(source.parent, tmp_path / "moved")
    assert digests(TARGET) == {}
    monkeypatch.syspath_prepend(str(tmp_path / "moved"))
    assert digests(TARGET) == before


def test_a_fingerprint_imports_nothing(folder: Path) -> None:
    evil = "raise SystemExit('imported')"
    _write(folder, {"evil_t/__init__.py": evil, "evil_t/net.py": f"import evil_too_t\n{evil}", "evil_too_t.py": evil})
    digests({"_target_": "evil_t.net.Net"})  # what parses is loaded by now
    (folder / "evil_too_t.py").write_text("changed")
    with watched() as events:
        assert len(digests({"_target_": "evil_t.net.Net.Inner"})) == 1
    assert [event for event in events if not event.startswith("compile")] == []  # an ast is "compiled" as well
    assert not {name for name in sys.modules if name.startswith("evil_")}


def test_a_module_is_found_as_python_finds_it(folder: Path) -> None:
    _write(folder, {"pkg_t/__init__.py": "", "pkg_t/sub.py": "", "space_t/mod.py": ""})
    assert file_of("pkg_t") == folder / "pkg_t" / "__init__.py"
    assert file_of("pkg_t.sub") == folder / "pkg_t" / "sub.py"
    assert file_of("space_t.mod") == folder / "space_t" / "mod.py"
    assert file_of("space_t") is None
    assert file_of("pkg_t.sub.Net") is None
    assert file_of("json") == Path(sys.modules["json"].__spec__.origin or "")


# Values that name files.


def _identity(**values: Any) -> Any:
    return with_contents({"model": values})["model"]


def test_a_file_counts_by_its_content(folder: Path) -> None:
    Path("weights.pth").write_text("one")
    before = _identity(checkpoint="weights.pth", width=3)
    assert before == {"checkpoint": {"content": code.digest_of_file(Path("weights.pth"))}, "width": 3}
    shutil.move("weights.pth", "elsewhere.pth")
    assert _identity(checkpoint="elsewhere.pth", width=3) == before
    assert _identity(checkpoint=str(Path("elsewhere.pth").absolute()), width=3) == before
    assert _identity(checkpoint="weights.pth", width=3) == {"checkpoint": "weights.pth", "width": 3}
    Path("elsewhere.pth").write_text("two")
    assert _identity(checkpoint="elsewhere.pth", width=3) != before


def test_a_file_in_the_home_folder_is_found(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(folder))
    (folder / "weights.pth").write_text("one")
    assert "content" in _identity(checkpoint="~/weights.pth")["checkpoint"]
    assert _identity(checkpoint="~no_such_user/weights.pth") == {"checkpoint": "~no_such_user/weights.pth"}


def test_a_folder_counts_where_the_value_or_its_key_means_one(folder: Path) -> None:
    _write(Path("data"), {"a.txt": "1", "b/c.txt": "2"})
    before = _identity(path="data")
    assert "content" in before["path"]
    assert _identity(any="./data")["any"] == before["path"]
    assert _identity(mean="data") == {"mean": "data"}
    assert _identity(root=".") == {"root": "."}
    Path("data/b/c.txt").write_text("3")
    assert _identity(path="data") != before
    Path("data/b/c.txt").write_text("2")
    shutil.move("data/b/c.txt", "data/b/d.txt")
    assert _identity(path="data") != before


def test_names_and_other_texts_are_no_paths(folder: Path) -> None:
    for name in ("mine", "x"):
        Path(name).write_text("a file of this name")
    values = {"name": "mine", "_target_": "x", "a": "not there", "b": "\0", "c": "y" * 5000, "d": "", "e": 1, "f": None}
    assert _identity(**values) == values


def test_files_count_in_lists_and_groups_of_every_field_but_those_of_the_data(folder: Path) -> None:
    Path("file.txt").write_text("one")
    content = {"content": code.digest_of_file(Path("file.txt"))}
    fields = ("model", "terms", "mode", "recipe", "targets", "schedules")
    described = {field: {"deep": [{"a": ["file.txt", 1]}]} for field in fields}
    others = {"dataset": {"source": {"file": "file.txt"}}, "examples": {"omit": ["file.txt"]}, "precision": "file.txt"}
    assert with_contents(described | others) == {field: {"deep": [{"a": [content, 1]}]} for field in fields} | others


def test_a_folder_of_everything_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _write(Path("data"), {str(number): "" for number in range(4)})
    monkeypatch.setattr(code, "MOST_FILES", 3)
    with pytest.raises(UserError, match="data has more than 3 files; name a folder with those that are needed"):
        _identity(path="data")


def test_a_file_without_end_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("file.txt").write_text("1234")
    monkeypatch.setattr(code, "MOST_BYTES", 3)
    with pytest.raises(UserError, match=r"file\.txt is too large to be part of what a run is"):
        _identity(file="file.txt")


def test_a_file_is_read_once_while_it_stays_as_it_is(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[object] = []
    digest = code.hashlib.file_digest
    monkeypatch.setattr(code.hashlib, "file_digest", lambda file, kind: read.append(file) or digest(file, kind))
    Path("weights.pth").write_text("one")
    for seed in range(100):
        _identity(checkpoint="weights.pth", seed=seed)
    assert len(read) == 1
    Path("weights.pth").write_text("longer")
    _identity(checkpoint="weights.pth")
    assert len(read) == 2


def test_a_replaced_file_is_another_run_and_a_moved_one_is_not(source: Path) -> None:
    def fingerprint(checkpoint: str) -> str:
        return replace(SPEC, model={**SPEC.model, "checkpoint": checkpoint}).fingerprint

    Path("a.pth").write_text("one")
    before = fingerprint("a.pth")
    shutil.copy("a.pth", "b.pth")
    assert fingerprint("b.pth") == before
    Path("a.pth").write_text("two")
    assert fingerprint("a.pth") != before


def test_a_description_keeps_the_path_of_which_the_network_is_made(source: Path) -> None:
    Path("a.pth").write_text("one")
    spec = replace(SPEC, model={**SPEC.model, "checkpoint": "a.pth"})
    assert spec.description()["model"]["checkpoint"] == "a.pth"


# Weights of torchvision.


def _zoo(weights: str | None) -> Any:
    return _identity(_target_="kdrun.models.zoo.build", model="resnet18", weights=weights)["weights"]


def test_a_librarys_weights_count_by_what_their_name_stands_for() -> None:
    import torchvision

    assert _zoo("DEFAULT") == {"name": "ResNet18_Weights.IMAGENET1K_V1", "hash": "f37072fd"}
    assert _zoo("DEFAULT") == _zoo("IMAGENET1K_V1")
    assert _zoo("BEST") == {"torchvision": torchvision.__version__}
    assert _identity(_target_="kdrun.models.zoo.build", model=["x"], weights={"y": 1})["weights"] == {
        "torchvision": torchvision.__version__
    }


def test_torchvision_is_imported_only_where_weights_are_asked_for() -> None:
    program = (
        "import sys; from kdrun.runs.code import with_contents; "
        "with_contents({'model': {'_target_': 'kdrun.models.zoo.build', 'model': 'resnet18', 'weights': None}}); "
        "sys.exit('torchvision' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
