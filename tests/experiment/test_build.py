"""Objects of users' own code: what it raises is one line with its file and line."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from urllib.error import URLError

import pytest
import torch
from calling import TOY, Kdrun

from kdrun.errors import UserError
from kdrun.experiment.build import make, without_weights
from kdrun.experiment.lab import Lab
from kdrun.experiment.running import finished_network, mode_of
from kdrun.models import mlp
from kdrun.runs.spec import RunSpec

MODULE = """
import torch
from torch import nn
from toy import Blobs


class Net(nn.Module):
    def __init__(self, *, in_channels, image_size, num_classes, fails=""):
        super().__init__()
        self.fails = fails
        self.head = nn.Linear(in_channels * image_size**2, num_classes)
        if fails == "made":
            raise RuntimeError("bad\\n width")  # line 13
        if fails == "file":
            torch.load("not_there.pth")  # line 15

    def forward(self, images):
        if self.fails == "meta":
            images.sum().item()  # line 19
        if self.fails == "shape":
            return self.head(images)  # line 21
        logits = self.head(images.flatten(1))
        return (logits, images) if self.fails == "tuple" else logits


class Term(nn.Module):
    student_layers, teacher_layers = (), ()

    def __init__(self, pair, *, fails):
        super().__init__()
        if fails == "made":
            raise ZeroDivisionError  # line 32

    def forward(self, student, teacher, batch):
        raise KeyError("missing")  # line 35

    def export(self, student, teacher):
        return student.no_such_layer  # line 38


class Mode:
    def __init__(self, network, terms, **given):
        raise OSError("no mode")  # line 43


class Rule(torch.optim.SGD):
    def __init__(self, parameters, **numbers):
        raise LookupError("no rule")  # line 48


class Loads(Blobs):
    def load(self, data_root):
        return [][0]  # line 53


class Identifies(Blobs):
    def identity(self, data_root):
        raise PermissionError("secret")  # line 58
"""

MISTAKES = [
    (("student=own", "student.fails=made"), "cannot make errors_t.Net: RuntimeError: bad width (errors_t.py:13)"),
    (("student=own", "student.fails=file"), "No such file or directory: 'not_there.pth' (errors_t.py:15)"),
    (
        ("student=own", "student.fails=meta"),
        "baseline own cannot take two images of 1x6x6 (on the meta device, shapes alone): RuntimeError: Tensor.item() "
        "cannot be called on meta tensors (errors_t.py:19)",
    ),
    (("student=own", "student.fails=shape"), "(errors_t.py:21)"),
    (("student=own", "student.fails=tuple"), "baseline own returns a tuple; its forward must return one tensor of"),
    (("knowledge=own", "knowledge.own.fails=made"), "cannot make errors_t.Term: ZeroDivisionError (errors_t.py:32)"),
    (("knowledge=own",), "knowledge own cannot export its network: AttributeError: 'Mlp' object has no attribute"),
    (("mode.trains._target_=errors_t.Mode",), "cannot make errors_t.Mode: OSError: no mode (errors_t.py:43)"),
    (
        ("train.student.optimizer._target_=errors_t.Rule",),
        "cannot make errors_t.Rule: LookupError: no rule (errors_t.py:48)",
    ),
    (("dataset.source._target_=errors_t.Loads",), "cannot load blobs: IndexError: list index out of range"),
    (
        ("dataset.source._target_=errors_t.Identifies",),
        "cannot identify the data of blobs: PermissionError: secret (errors_t.py:58)",
    ),
    (("student=own", "student._target_=typo_t.Net"), "cannot make typo_t.Net: SyntaxError: invalid syntax"),
    (
        ("student=own", "student._target_=needs_t.Net"),
        "cannot make needs_t.Net: ModuleNotFoundError: No module named 'not_there_t' (needs_t.py:2)",
    ),
    (("student=own", "student._target_=errors_t.Absent"), "cannot make errors_t.Absent: Error loading"),
]


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.syspath_prepend(str(tmp_path))
    for name in ("errors_t", "typo_t", "needs_t"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    (tmp_path / "errors_t.py").write_text(MODULE)
    (tmp_path / "typo_t.py").write_text("def f(:\n")
    (tmp_path / "needs_t.py").write_text("\nimport not_there_t\n")
    for name, text in {
        "model/own": "name: own\n_target_: errors_t.Net\nfails: ''\n",
        "knowledge/own": "# @package knowledge.own\n_target_: errors_t.Term\nfails: ''\n",
    }.items():
        path = tmp_path / "cfg" / f"{name}.yaml"
        path.parent.mkdir(parents=True)
        path.write_text(text)
    return tmp_path


@pytest.mark.parametrize(("words", "message"), MISTAKES, ids=[" ".join(words)[:60] for words, _ in MISTAKES])
def test_what_a_users_class_raises_before_training_is_one_line_with_its_place(
    kdrun: Kdrun, own: Path, words: tuple[str, ...], message: str
) -> None:
    ended = kdrun("distill", *TOY[:-1], "--config-dir", "cfg", "seeds=[0]", "controls=[]", *_with_student(words))
    assert (ended.code, ended.out) == (2, "")
    assert len(ended.err.splitlines()) == 1
    assert message in ended.err
    assert not (own / "outputs").exists()


def _with_student(words: tuple[str, ...]) -> tuple[str, ...]:
    return words if "student=own" in words else (*words, "student=mlp30")


def test_a_losss_error_is_one_line_in_a_dry_run(kdrun: Kdrun, own: Path) -> None:
    text = (own / "errors_t.py").read_text().replace("def export", "def _export")
    (own / "errors_t.py").write_text(text)
    ended = kdrun("distill", *TOY, "--config-dir", "cfg", "controls=[]", "knowledge=own", "--dry-run")
    assert (ended.code, len(ended.err.splitlines())) == (2, 1)
    assert "cannot form its losses: KeyError: 'missing' (errors_t.py:35)" in ended.err
    checked = kdrun("check-knowledge", "own", "--config-dir", "cfg")
    assert checked.code == 1
    assert "(errors_t.py:35)" in checked.out


def test_a_bug_of_kdruns_own_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = "def broken(*_):\n    raise RuntimeError('a bug')"
    exec(compile(lines, str(mlp.__file__), "exec"), namespace := {})  # as if it stood there
    monkeypatch.setattr(mlp, "require_counts", namespace["broken"])
    numbers = {"widths": [8], "dropout": 0.0, "input_dropout": 0.0, "max_norm": None}
    with pytest.raises(RuntimeError, match="a bug"):
        make({"_target_": "kdrun.models.mlp.Mlp", **numbers}, in_channels=1, image_size=2, num_classes=2)


def test_keys_that_a_class_does_not_take_are_told_without_a_place() -> None:
    with pytest.raises(UserError, match=r"cannot make kdrun.models.mlp.Mlp: .*unexpected keyword argument 'wide'$"):
        make({"_target_": "kdrun.models.mlp.Mlp", "wide": 1})


def test_a_finished_network_is_built_without_a_librarys_weights(
    specs: Callable[..., dict[str, RunSpec]], lab: Lab, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def refuse(*_args: object, **_kwargs: object) -> None:
        raise URLError("no network")

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr("torch.hub.urlopen", refuse)
    zoo = ("model=shufflenet_v2_x0_5", "weights=DEFAULT")
    words = (f"{role}{key}" for role in ("teacher", "student") for key in ("=torchvision", *(f".{one}" for one in zoo)))
    run = specs(*words, "dataset.source.channels=3")["teacher"]
    with pytest.raises(UserError, match="cannot get weights=DEFAULT of shufflenet_v2_x0_5"):
        mode_of(run, lab)
    made = mode_of(without_weights(run), lab).student
    monkeypatch.setattr("kdrun.runs.folder.RunFolder.weights", lambda _self: made.state_dict())
    again = finished_network(run, lab)
    assert torch.equal(again.get_parameter("body.fc.weight"), made.get_parameter("body.fc.weight"))
