"""What a failure is: whose, in which words, and which numbers are not finite."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from carrying import Watching, carry_out, plan
from torch import nn

from kdrun.errors import UserError, where
from kdrun.experiment import assemble, running
from kdrun.experiment.failures import Failures, floating, not_finite
from kdrun.experiment.several import ObserverError
from kdrun.machine import is_device_lost, is_out_of_memory
from kdrun.models.ensemble import Ensemble
from kdrun.models.mlp import Mlp
from kdrun.runs.store import Store


def _raised(call: Callable[[], object]) -> Exception:
    try:
        call()
    except Exception as error:  # noqa: BLE001 - whatever it is, it is what the test asks about
        return error
    raise AssertionError("it raised nothing")


def test_no_memory_is_recognised_as_torch_numpy_and_python_word_it() -> None:
    errors = (
        _raised(lambda: torch.empty(2**60)),
        _raised(lambda: np.empty(2**45)),
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
    )
    assert all(is_out_of_memory(error) and not is_device_lost(error) for error in errors)
    assert not is_out_of_memory(RuntimeError("mat1 and mat2 shapes cannot be multiplied"))


@pytest.mark.parametrize("error", [UserError("wrong"), ObserverError(), MemoryError(), torch.OutOfMemoryError("no")])
def test_what_concerns_more_than_one_run_is_no_failure_of_one(tmp_path: Path, error: Exception) -> None:
    failures = Failures(Store(tmp_path), Watching())
    with pytest.raises(type(error)), failures.of(plan()[0]):
        raise error
    assert failures.lines == {}


def test_a_failure_before_anything_was_written_has_a_folder_that_says_of_which_run(tmp_path: Path) -> None:
    store, (spec, *_) = Store(tmp_path), plan()
    failures = Failures(store, Watching())
    with failures.of(spec):
        raise ValueError("of\nseveral lines")
    assert failures.lines[spec].startswith(f"{spec.title}: ValueError: of several lines (")
    assert "test_failures.py:" in failures.lines[spec]
    assert store.folder(spec).failure_path.read_text(encoding="utf-8").endswith("ValueError: of\nseveral lines\n")
    assert (store.folder(spec).path / "spec.json").is_file()


def test_an_error_is_named_with_the_innermost_place_in_the_users_code() -> None:
    line = where(_raised(lambda: Mlp(in_channels=1, image_size=2, num_classes=2, widths=[0])))  # type: ignore[call-arg]
    assert line.startswith("TypeError: ")
    assert "test_failures.py:" in line


class Masked(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(2, 2)
        self.register_buffer("mask", torch.tensor([0.0, -torch.inf]))
        self.register_buffer("count", torch.tensor(3))


def test_names_of_weights_that_are_not_finite() -> None:
    network = Masked()
    assert list(floating(network)) == ["head.weight", "head.bias", "mask"]
    with torch.no_grad():
        network.head.bias[1] = torch.nan
    assert not_finite(floating(network)) == ["head.bias", "mask"]
    assert not_finite({}) == []


def test_a_buffer_that_is_infinite_from_the_start_is_no_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = Mlp.__init__

    def with_mask(self: Mlp, **given: object) -> None:
        made(self, **given)  # type: ignore[arg-type]
        self.register_buffer("mask", torch.full((2,), -torch.inf))

    monkeypatch.setattr(Mlp, "__init__", with_mask)
    assert carry_out(plan("controls=[]"), tmp_path) == []


def test_a_number_of_the_test_part_that_is_not_finite_fails_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from kdrun.experiment import measure

    asked = measure.logits_of
    monkeypatch.setattr(measure, "logits_of", lambda *given: asked(*given).clone().fill_(torch.nan))
    (line,) = carry_out(plan()[:1], tmp_path)
    assert "test_nll, test_ece are not finite in the evaluation of the finished network; stopped, " in line
    assert not list(tmp_path.glob("runs/*/result.json"))


def test_an_ensemble_whose_outputs_are_not_finite_fails_and_so_do_its_students(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    forward = Ensemble.forward
    monkeypatch.setattr(Ensemble, "forward", lambda self, inputs: forward(self, inputs) * torch.nan)
    specs, watching = plan("teacher.members=2", "controls=[]"), Watching()
    lines = carry_out(specs, tmp_path, observer=watching)
    assert [spec.kind for spec in watching.lost] == ["teacher", "student"]
    assert "test_nll, test_ece, validation_nll are not finite in the evaluation of the finished network; " in lines[0]
    assert lines[0].endswith("; look at the runs that it is made of")
    assert "baseline" in [spec.kind for spec in watching.ended]


def test_what_an_assembled_network_found_must_be_finite(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def settled(_spec: object, network: nn.Module, _lab: object) -> None:
        if isinstance(network, Ensemble):
            network.register_buffer("offsets", torch.full((2,), torch.nan))

    monkeypatch.setattr(assemble, "settle", settled)
    (line, *_) = carry_out(plan("teacher.members=2", "controls=[]"), tmp_path)
    assert ": offsets of the network that was put together is not finite; look at" in line


@pytest.mark.parametrize("part", ["train_kd", "learning_rate"])
def test_a_row_that_is_not_finite_fails_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, part: str) -> None:
    losses = running.Learner.epoch_losses
    monkeypatch.setattr(running.Learner, "epoch_losses", lambda self: losses(self) | {part: float("inf")})
    (line,) = carry_out(plan()[:1], tmp_path)
    assert f": {part} is not finite in epoch 1; stopped, no state was saved yet; try a smaller learning rate" in line
