"""What is said of a run before it is trained: layers, adapters, costs, memory."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch

from kdrun.experiment.describe import Adapter, Description, NetworkCost, describe
from kdrun.experiment.lab import Lab
from kdrun.experiment.memory import StepMemory
from kdrun.experiment.running import mode_of
from kdrun.metrics.cost import flops, parameters
from kdrun.runs.spec import RunSpec

Specs = Callable[..., dict[str, RunSpec]]
CONV = ("teacher=conv_m", "student=conv_s", "precision=fp32")


def _described(specs: Specs, lab: Lab, *overrides: str) -> Description:
    spec = specs(*CONV, *overrides)["student"]
    return describe(spec, lab.data(spec.dataset))


def _memory(specs: Specs, lab: Lab, *overrides: str) -> StepMemory:
    memory = _described(specs, lab, *overrides).memory
    assert isinstance(memory, StepMemory), memory
    return memory


def test_layers_are_paired_as_the_term_pairs_them(specs: Specs, lab: Lab) -> None:
    mixed, kd, vid = _described(
        specs, lab, "knowledge=[response/kd,feature/vid,feature/fitnet]", "knowledge.fitnet.teacher_layer=stage1"
    ).terms
    assert kd.layers == kd.adapters == ()
    assert vid.layers == (
        ("stage1 8x6x6", "stage1 32x6x6"),
        ("stage2 16x3x3", "stage2 64x3x3"),
        ("stage3 32x2x2", "stage3 128x2x2"),
    )
    assert mixed.layers == (("stage2 16x3x3", "stage1 32x6x6"),)


def test_adapters_come_with_their_shapes_and_parameters(specs: Specs, lab: Lab) -> None:
    crd, review, vid = _described(specs, lab, "knowledge=[feature/vid,relation/crd,feature/reviewkd]").terms
    assert vid.adapters[0] == Adapter("vid.means.0", "8x6x6", "32x6x6", 8 * 32 + 32 + 2 * (32 * 32 + 32))
    assert vid.adapters[-1] == Adapter("vid.raw_variances", "", "", 32 + 64 + 128)
    assert crd.adapters == (
        Adapter("crd.student_head", "32", "128", 32 * 128 + 128),
        Adapter("crd.teacher_head", "128", "128", 128 * 128 + 128),
    )
    assert [(one.source, one.target) for one in review.adapters][-1] == ("32x1x1", "128x1x1")


def test_costs_are_those_of_the_real_networks(specs: Specs, lab: Lab) -> None:
    made = specs(*CONV)
    data = lab.data(made["student"].dataset)
    example = torch.zeros(1, *data.image_shape)
    real = {kind: mode_of(made[kind], lab).student for kind in ("teacher", "student")}
    assert describe(made["student"], data).networks == tuple(
        NetworkCost(kind, made[kind].model["name"], parameters(network), flops(network, example))
        for kind, network in real.items()
    )


def test_a_student_that_takes_over_a_classifier_is_named_twice(specs: Specs, lab: Lab) -> None:
    teacher, trained, kept = _described(specs, lab, "knowledge=feature/simkd").networks
    assert (teacher.role, trained.role, kept.role) == ("teacher", "student", "student, kept")
    assert kept.parameters > trained.parameters


def test_a_teacher_stands_alone(specs: Specs, lab: Lab) -> None:
    spec = specs(*CONV)["teacher"]
    described = describe(spec, lab.data(spec.dataset))
    assert ([one.role for one in described.networks], described.terms) == (["teacher"], ())
    assert isinstance(described.memory, StepMemory)
    assert described.memory.teacher == 0


@pytest.mark.parametrize("term", ["feature/vid", "feature/factor", "response/dkd", "relation/rkd", "relation/crd"])
def test_activations_are_what_a_real_step_keeps_for_its_backward_pass(specs: Specs, lab: Lab, term: str) -> None:
    spec = specs(*CONV, f"knowledge={term}")["student"]
    data = lab.data(spec.dataset)
    mode = mode_of(spec, lab)
    batch = next(data.training_batches(spec).epoch(0))
    from kdrun.models import TappedNetwork

    with torch.no_grad():
        said = TappedNetwork(mode_of(spec.teacher, lab).student, mode.teacher_layers or ())(batch.inputs)
    kept: dict[int, torch.UntypedStorage] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        losses = mode.losses(batch, said)
    own = {one.untyped_storage().data_ptr() for one in (*mode.trained.parameters(), *mode.trained.buffers())}
    real = sum(storage.nbytes() for address, storage in kept.items() if address not in own)
    assert losses[0].isfinite()
    described = describe(spec, data).memory
    assert isinstance(described, StepMemory)
    assert described.activations == pytest.approx(real, rel=0.02)


def test_activations_grow_with_the_batch_and_halve_under_bf16(specs: Specs, lab: Lab) -> None:
    one, two = (_memory(specs, lab, f"train.student.batch_size={size}").activations for size in (20, 40))
    assert two == pytest.approx(2 * one, rel=0.01)
    spec = replace(specs(*CONV)["student"], precision="bf16")
    halved = describe(spec, lab.data(spec.dataset)).memory
    assert isinstance(halved, StepMemory)
    assert halved.activations == pytest.approx(one / 2, abs=1)


SGD = "train.student.optimizer._target_=torch.optim.SGD"


@pytest.mark.parametrize(
    ("optimizer", "moments"), [((), 2), ((SGD,), 0), (("train.student.optimizer._target_=torch.optim.Adagrad",), 1)]
)
def test_the_optimisers_memory_is_measured(specs: Specs, lab: Lab, optimizer: tuple[str, ...], moments: int) -> None:
    memory = _memory(specs, lab, *optimizer)
    assert memory.optimizer == moments * memory.gradients
    assert memory.gradients == 4 * parameters(mode_of(specs(*CONV)["student"], lab).student)


def test_memories_of_examples_count_as_weights(specs: Specs, lab: Lab) -> None:
    few, many = (_memory(specs, lab, "knowledge=relation/crd", f"train_size={size}").weights for size in (40, 90))
    assert many - few == 50 * (2 * 128 * 4 + 8)  # two embeddings and an id for each example


def test_a_term_that_needs_data_is_described_without_memory(specs: Specs, lab: Lab) -> None:
    described = _described(specs, lab, "knowledge=mine/right", "knowledge.right._target_=my_loss.NeedsData")
    assert isinstance(described.memory, str)
    assert len(described.networks) == 2
