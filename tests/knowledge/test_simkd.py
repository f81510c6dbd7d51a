"""SimKD: the projected features, and the network that it exports."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from kdrun.errors import UserError
from kdrun.knowledge import made_up
from kdrun.knowledge.simkd import SimKD
from kdrun.signals import Pair, Signals


class Network(nn.Module):
    """One convolution, ReLU, average, linear; `stage1` is the output or the input of the ReLU."""

    def __init__(self, channels: int, *, stride: int = 1, side: str = "output") -> None:
        super().__init__()
        self.trunk = nn.Sequential(nn.Conv2d(1, channels, 3, stride, 1), nn.ReLU())
        self.classifier = nn.Linear(channels, 5)
        self.layers = {"stage1": ("trunk.1", side)}

    def forward(self, inputs: Tensor) -> Tensor:
        logits: Tensor = self.classifier(self.trunk(inputs).mean(dim=(2, 3)))
        return logits


def shapes(network: Network, inputs: Tensor) -> Signals:
    stage = network.trunk(inputs)
    return Signals(network(inputs), {"stage1": stage, "pooled": stage.mean(dim=(2, 3))})


def built(student: Network, teacher: Network, inputs: Tensor) -> SimKD:
    pair = Pair(shapes(student, inputs), shapes(teacher, inputs), num_classes=5, example_ids=torch.arange(16))
    return SimKD(pair, student_layer=None, teacher_layer=None, reduction=2)


@pytest.fixture
def inputs() -> Tensor:
    torch.manual_seed(0)
    return torch.randn(6, 1, 8, 8)


def test_a_student_that_meets_the_teachers_features_gives_the_teachers_logits(inputs: Tensor) -> None:
    student, teacher = Network(3), Network(3)
    student.trunk.load_state_dict(teacher.trunk.state_dict())
    term = built(student, teacher, inputs)
    term.projector = nn.Sequential(nn.Identity())
    signals = shapes(student, inputs), shapes(teacher, inputs)
    assert term(*signals, made_up.batch(made_up.example_pair())).item() == 0
    exported = term.export(student, teacher)
    assert not torch.allclose(student(inputs), teacher(inputs))
    torch.testing.assert_close(exported(inputs), teacher(inputs))


@pytest.mark.parametrize(("student_stride", "teacher_stride"), [(1, 2), (2, 1), (1, 1)])
def test_the_exported_network_is_trunk_projector_and_the_teachers_classifier(
    inputs: Tensor, student_stride: int, teacher_stride: int
) -> None:
    student, teacher = Network(3, stride=student_stride), Network(4, stride=teacher_stride)
    term = built(student, teacher, inputs).eval()
    exported = term.export(student, teacher).eval()
    feature = student.trunk(inputs)
    if student_stride < teacher_stride:
        feature = nn.functional.avg_pool2d(feature, 2)
    expected = teacher.classifier(term.projector(feature).mean(dim=(2, 3)))
    torch.testing.assert_close(exported(inputs), expected)


class Wrapped(nn.Module):
    """A network whose classifier lies deeper, as torchvision's do."""

    def __init__(self, body: Network) -> None:
        super().__init__()
        self.body = body
        self.layers = {name: (f"body.{path}", side) for name, (path, side) in body.layers.items()}

    @property
    def classifier(self) -> nn.Module:
        return self.body.classifier

    def forward(self, inputs: Tensor) -> Tensor:
        logits: Tensor = self.body(inputs)
        return logits


@pytest.mark.parametrize("wrap", [lambda network: network, Wrapped])
def test_the_students_own_classifier_is_no_part_of_the_exported_network(
    inputs: Tensor, wrap: Callable[[Network], nn.Module]
) -> None:
    student, teacher = Network(3), Network(4)
    exported = built(student, teacher, inputs).export(wrap(student), teacher)
    own = {id(parameter) for parameter in exported.parameters()}
    assert not own & {id(parameter) for parameter in student.classifier.parameters()}
    assert own > {id(parameter) for parameter in student.trunk.parameters()}
    assert student(inputs).shape == exported(inputs).shape == (6, 5)  # which still has its own


def test_the_exported_network_names_its_layers(inputs: Tensor) -> None:
    exported = built(Network(3), Network(4), inputs).export(Network(3), Network(4))
    assert {name: path for name, (path, _) in exported.layers.items()} == {
        "stage1": "trunk.trunk.1",
        "pooled": "classifier",
    }


def test_the_exported_network_follows_the_training(inputs: Tensor) -> None:
    student, teacher = Network(3), Network(4)
    term = built(student, teacher, inputs)
    exported = term.export(student, teacher)
    target = shapes(teacher, inputs)
    optimiser = torch.optim.Adam([*student.trunk.parameters(), *term.parameters()], lr=0.02)
    gaps = []
    for _ in range(60):
        optimiser.zero_grad()
        loss = term(shapes(student, inputs), target, made_up.batch(made_up.example_pair()))
        loss.backward()
        optimiser.step()
        gaps.append((exported(inputs) - teacher(inputs)).abs().mean().item())
    assert gaps[-1] < 0.5 * gaps[0]


def test_the_exported_network_reads_the_input_side_of_a_layer(inputs: Tensor) -> None:
    student, teacher = Network(3, side="input"), Network(3)
    student.trunk[1].register_forward_hook(lambda _m, _args, output: 0 * output)
    term = built(student, teacher, inputs)
    term.projector = nn.Sequential(nn.Identity())
    expected = teacher.classifier(student.trunk[0](inputs).mean(dim=(2, 3)))
    torch.testing.assert_close(term.export(student, teacher)(inputs), expected)


def test_the_exported_network_leaves_no_hook_on_the_student(inputs: Tensor) -> None:
    student, teacher = Network(3), Network(3)
    built(student, teacher, inputs).export(student, teacher)(inputs)
    assert not student.trunk[1]._forward_hooks


def test_the_exported_network_holds_all_it_needs_in_its_state(inputs: Tensor) -> None:
    networks = [(Network(3), Network(4)) for _ in range(2)]
    one, other = (built(*pair, inputs).eval().export(*pair).eval() for pair in networks)
    assert not torch.allclose(one(inputs), other(inputs))
    other.load_state_dict(one.state_dict())
    assert torch.equal(one(inputs), other(inputs))


def test_the_loss_is_the_mean_of_squares_after_the_projector() -> None:
    pair = made_up.example_pair()
    term = SimKD(pair, student_layer=None, teacher_layer=None, reduction=2).double()
    student, teacher = made_up.signals(pair.student, 0), made_up.signals(pair.teacher, 1)
    projected = term.projector(student.features["stage3"])
    differences = (projected - teacher.features["stage3"]).flatten().tolist()
    expected = sum(value**2 for value in differences) / len(differences)
    value = term(student, teacher, made_up.batch(pair)).item()
    assert value == pytest.approx(expected, abs=1e-10)


def test_vectors_are_projected_as_maps_of_one_pixel() -> None:
    pair = made_up.example_pair()
    term = SimKD(pair, student_layer="pooled", teacher_layer="pooled", reduction=2).double()
    student, teacher = made_up.signals(pair.student, 0), made_up.signals(pair.teacher, 1)
    assert term(student, teacher, made_up.batch(pair)).isfinite()


def test_a_layer_that_the_classifier_does_not_read_is_refused() -> None:
    with pytest.raises(UserError) as caught:
        SimKD(made_up.example_pair(), student_layer=None, teacher_layer="stage2", reduction=2)
    assert caught.value.message == (
        "simkd reuses the teacher's classifier, which reads 12 values, but its layer 'stage2' has 6 "
        "channels; set teacher_layer to the layer that is pooled, or to pooled"
    )


def test_a_teacher_without_a_linear_classifier_is_refused(inputs: Tensor) -> None:
    student, teacher = Network(3), Network(4)
    term = built(student, teacher, inputs)
    with pytest.raises(UserError) as caught:
        term.export(student, nn.Flatten())
    assert caught.value.message == (
        "simkd needs a teacher whose `classifier` is one linear layer on 4 values, Flatten has None"
    )


def test_a_reduction_below_one_is_refused() -> None:
    with pytest.raises(UserError) as caught:
        SimKD(made_up.example_pair(), student_layer=None, teacher_layer=None, reduction=0)
    assert caught.value.message == "reduction must be >= 1, got 0"
