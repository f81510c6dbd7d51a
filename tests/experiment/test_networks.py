"""The networks of a run, and those of a student that takes over its teacher's classifier."""

from __future__ import annotations

import gc
import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pandas as pd
import pytest
import torch
from torch import Tensor

from kdrun.experiment.lab import Lab
from kdrun.experiment.networks import shapes_only
from kdrun.experiment.running import finished_network, mode_of
from kdrun.experiment.train import Interrupted, train
from kdrun.metrics.cost import flops, parameters
from kdrun.metrics.quality import quality
from kdrun.runs.spec import RunSpec
from kdrun.teachers.network import NetworkTeacher
from kdrun.training.evaluation import logits_of
from kdrun.training.precision import autocast

Specs = Callable[..., dict[str, RunSpec]]
CONV = ("teacher=conv_m", "student=conv_s")


class Unwatched:
    """An observer that looks away."""

    def __getattr__(self, _name: str) -> Callable[..., None]:
        return lambda *_arguments: None


def _trained(spec: RunSpec, lab: Lab) -> None:
    assert not train([spec], lab, Unwatched(), stop=lambda: False, state_every_s=1e9, stack_up_to=0)


def _weights(spec: RunSpec, lab: Lab) -> Mapping[str, Tensor]:
    return lab.store.folder(spec).weights()


def _result(spec: RunSpec, lab: Lab) -> dict[str, Any]:
    return dict(json.loads((lab.store.folder(spec).path / "result.json").read_text()))


@pytest.fixture
def simkd(specs: Specs, lab: Lab) -> dict[str, RunSpec]:
    """A finished teacher and a finished student of it, 32 channels below and 128 above."""
    made = specs(*CONV, "knowledge=feature/simkd", "alpha=1")
    _trained(made["teacher"], lab)
    _trained(made["student"], lab)
    return made


def test_what_a_simkd_student_keeps_is_trunk_projector_and_the_teachers_classifier(
    simkd: dict[str, RunSpec], lab: Lab
) -> None:
    kept, teacher = _weights(simkd["student"], lab), _weights(simkd["teacher"], lab)
    assert {name.partition(".")[0] for name in kept} == {"trunk", "projector", "classifier"}
    assert not [name for name in kept if name.startswith("trunk.classifier")]
    for name in ("weight", "bias"):
        assert torch.equal(kept[f"classifier.{name}"], teacher[f"classifier.{name}"])


def test_a_simkd_students_cost_is_that_of_what_it_keeps(simkd: dict[str, RunSpec], lab: Lab) -> None:
    data = lab.data(simkd["student"].dataset)
    network, example = finished_network(simkd["student"], lab), torch.zeros(1, *data.image_shape)
    trunk = parameters(shapes_only(simkd["student"], data).network) - (32 * 4 + 4)  # without its own classifier
    projector = 32 * 64 + 64 * 64 * 9 + 64 * 128 + 2 * (64 + 64 + 128)
    result = _result(simkd["student"], lab)
    assert result["parameters"] == parameters(network) == trunk + projector + (128 * 4 + 4)
    assert result["flops"] == flops(network, example)


def test_a_simkd_student_is_evaluated_and_reloaded_as_what_it_keeps(simkd: dict[str, RunSpec], lab: Lab) -> None:
    spec, again = simkd["student"], Lab(lab.store, lab.device, lab.store.outputs)
    data = again.data(spec.dataset)
    logits = logits_of(finished_network(spec, again), data.evaluate_on(data.splits.test), again.device, "fp32")
    measured = quality(logits, data.splits.test.labels)
    result = _result(spec, lab)
    assert (measured.accuracy, measured.nll) == (result["test_accuracy"], pytest.approx(result["test_nll"]))


def test_a_simkd_student_teaches_as_what_it_keeps(simkd: dict[str, RunSpec], specs: Specs, lab: Lab) -> None:
    terms = specs(*CONV, "knowledge=[response/kd,feature/attention,feature/reviewkd]")["student"].terms
    chained = replace(simkd["student"], terms=terms, alpha=0.7, label_weight=None, teacher=simkd["student"])
    data = lab.data(chained.dataset)
    pair = shapes_only(chained, data).pair
    assert pair.teacher.features["pooled"].shape[1] == 128  # what enters the classifier that it took over
    assert pair.teacher.features["stage3"].shape[1] == 32
    _trained(chained, lab)
    layers = mode_of(chained, lab).teacher_layers
    assert layers is not None
    teacher = NetworkTeacher(finished_network(simkd["student"], lab), layers, autocast(lab.device, "fp32"))
    said = torch.cat([teacher.signals(batch).logits for batch in data.evaluate_on(data.splits.test)])
    predictions = pd.read_csv(lab.store.folder(simkd["student"]).path / "predictions.csv")
    assert said.argmax(1).tolist() == predictions["predicted"].tolist()


def test_a_simkd_student_that_was_cut_off_ends_with_the_same_weights(simkd: dict[str, RunSpec], lab: Lab) -> None:
    whole = {name: value.clone() for name, value in _weights(simkd["student"], lab).items()}
    folder = lab.store.folder(simkd["student"])
    folder.set_aside()
    steps = iter(range(100))
    with pytest.raises(Interrupted):
        train([simkd["student"]], lab, Unwatched(), stop=lambda: next(steps) > 12, state_every_s=1e9, stack_up_to=0)
    assert folder.is_started
    _trained(simkd["student"], Lab(lab.store, lab.device, lab.store.outputs))
    assert all(torch.equal(value, whole[name]) for name, value in _weights(simkd["student"], lab).items())


def test_the_shapes_of_a_run_take_no_memory(specs: Specs, lab: Lab) -> None:
    spec = specs("teacher=resnet110", "student=resnet20", "knowledge=feature/simkd")["student"]
    parts = shapes_only(spec, lab.data(spec.dataset))
    assert {one.device.type for one in (*parts.kept.parameters(), *parts.network.parameters())} == {"meta"}


def test_terms_with_adapters_leave_the_students_initial_weights_as_they_are(specs: Specs, lab: Lab) -> None:
    plain, adapted = specs(*CONV), specs(*CONV, "knowledge=feature/vid")
    networks = [mode_of(one["student"], lab).student.state_dict() for one in (plain, adapted)]
    assert all(torch.equal(value, networks[1][name]) for name, value in networks[0].items())
    assert any("means" in name for name in mode_of(adapted["student"], lab).trained.state_dict())


def test_memories_are_as_many_as_the_students_examples(specs: Specs, lab: Lab) -> None:
    spec = specs(*CONV, "knowledge=relation/crd", "train_size=40")["student"]
    data = lab.data(spec.dataset)
    memory = shapes_only(spec, data).terms["crd"].knowledge
    assert len(memory.student_memory) == 40
    assert memory.example_ids.tolist() == sorted(data.splits.train.ids[:40].tolist())


def test_finished_networks_are_held_while_they_are_used_and_no_longer(specs: Specs, lab: Lab) -> None:
    teacher = specs(*CONV)["teacher"]
    _trained(teacher, lab)
    network = finished_network(teacher, lab)
    assert finished_network(teacher, lab) is network
    del network
    gc.collect()
    assert not lab.networks


def test_the_order_in_which_terms_are_typed_changes_nothing(specs: Specs, lab: Lab) -> None:
    one, other = (
        specs(*CONV, f"knowledge=[{order}]")["student"]
        for order in ("feature/fitnet,feature/vid", "feature/vid,feature/fitnet")
    )
    assert one == other
    modes = [mode_of(spec, lab) for spec in (one, other)]
    assert modes[0].part_names == modes[1].part_names
    first, second = (mode.trained.state_dict() for mode in modes)
    assert list(first) == list(second)
    assert all(torch.equal(value, second[name]) for name, value in first.items())
