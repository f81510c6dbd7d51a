"""Networks of a training step, compiled."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from carrying import CONVOLUTIONAL, Watching, lab_at, lockstep, plan

from kdrun.experiment.lab import Lab
from kdrun.models import TappedNetwork
from kdrun.models.resnet import CifarResNet
from kdrun.runs.store import Store
from kdrun.training.compiling import Compiling


def _network(seed: int) -> CifarResNet:
    torch.manual_seed(seed)
    return CifarResNet(in_channels=1, image_size=8, num_classes=3, depth=8, stem_width=4, widths=[4, 4, 8])


@pytest.fixture(autouse=True)
def _nothing_compiled_before() -> None:
    torch.compiler.reset()


def test_each_network_gives_its_own_features_though_compiled_code_is_shared() -> None:
    inputs = torch.randn(6, 1, 8, 8)
    for seed, layers in enumerate([(), ("stage2", "stage1_preact"), ("stage2", "stage1_preact"), ("pooled",), ()]):
        compiled, plain = (TappedNetwork(_network(seed), layers) for _ in range(2))
        compiled.compile(backend="eager")
        ours, expected = compiled(inputs), plain(inputs)
        assert list(ours.features) == list(expected.features) == list(layers)
        assert torch.equal(ours.logits, expected.logits)
        assert all(torch.equal(ours.features[name], expected.features[name]) for name in layers)
        ours.logits.sum().backward()
        assert all(parameter.grad is not None for parameter in compiled.network.parameters())


def test_the_network_by_itself_stays_as_it_is() -> None:
    network = _network(0)
    keys = list(network.state_dict())
    tapped = TappedNetwork(network, ["stage2"])
    tapped.compile(backend=_refusing)
    assert network(torch.randn(2, 1, 8, 8)).shape == (2, 3)
    assert list(network.state_dict()) == keys
    with pytest.raises(Exception, match="the compiler was asked"):
        tapped(torch.randn(2, 1, 8, 8))


def _refusing(*_: object) -> None:
    raise ValueError("the compiler was asked")


def test_perceptrons_that_are_to_be_compiled_take_each_their_own_steps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def counted(function: Callable[..., Any], **_options: Any) -> Callable[..., Any]:
        return lambda *given: asked.append(1) or function(*given)

    monkeypatch.setattr("torch.compile", counted)
    specs = plan("tau=1,8", "controls=[]")
    lab = Lab(Store(tmp_path), torch.device("cpu"), Path("data"), compiling=Compiling(True, False))
    assert lockstep().execute(specs, lab, Watching(), stop=lambda: False) == []
    steps = [lab.data(spec.dataset).training_batches(spec).steps_per_epoch * spec.recipe["epochs"] for spec in specs]
    assert len(asked) == sum(steps) + steps[-1]  # the teacher once for all of the group


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_compiled_runs_end_near_those_as_written(tmp_path: Path) -> None:
    specs = plan(*CONVOLUTIONAL, "knowledge=[response/kd,feature/fitnet]", "train.student.epochs=2")
    for name, compiling in (("written", Compiling(False, False)), ("compiled", Compiling(True, False))):
        lab = Lab(Store(tmp_path / name), torch.device("cpu"), Path("data"), compiling=compiling)
        assert lockstep().execute(specs, lab, Watching(), stop=lambda: False) == []
    for spec in specs:
        written, compiled = (lab_at(tmp_path / name).store.folder(spec) for name in ("written", "compiled"))
        assert (written.result()["compile"], compiled.result()["compile"]) == (False, True)
        for name, values in compiled.weights().items():
            torch.testing.assert_close(values, written.weights()[name], rtol=1e-3, atol=1e-4)
