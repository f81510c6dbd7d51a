"""Networks that learn together: what each hears, what it does not change, and the sum of their losses."""

from __future__ import annotations

from itertools import permutations
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from kdrun.config.compose import Composer
from kdrun.config.grid import one_point
from kdrun.experiment.build import shapes_of, terms_of
from kdrun.knowledge.response import LogitMSE, SoftTargets
from kdrun.models.cohort import Cohort
from kdrun.models.convnet import ConvNet
from kdrun.modes.loss import LossWeights, Term
from kdrun.modes.online import Lesson, Online
from kdrun.signals import Batch, Pair, Signals

CONF = Path(__file__).parents[2] / "conf" / "knowledge"
TERMS = sorted(path.relative_to(CONF).with_suffix("").as_posix() for path in CONF.glob("*/*.yaml"))
NEEDS_A_TEACHER = "feature/simkd"
CLASSES, EXAMPLES = 4, 8


def _batch(dtype: torch.dtype = torch.float32) -> Batch:
    numbers = torch.arange(EXAMPLES)
    images = torch.randn(EXAMPLES, 1, 12, 12, dtype=dtype, generator=torch.Generator().manual_seed(3))
    return Batch(images, numbers % CLASSES, numbers, torch.zeros_like(numbers), epoch=0)


def _conv(width: int) -> ConvNet:
    return ConvNet(
        in_channels=1, image_size=12, num_classes=CLASSES, stem_width=width, stem_stride=1, convs=1, widths=[width] * 3
    )


def _pair(student: nn.Module, teacher: nn.Module) -> Pair:
    def shapes(network: nn.Module) -> Signals:
        return shapes_of(network.to("meta"), "network", (1, 12, 12), CLASSES)

    return Pair(shapes(student), shapes(teacher), CLASSES, torch.arange(EXAMPLES))


def _linear(number: int) -> nn.Module:
    torch.manual_seed(number)
    return nn.Sequential(nn.Flatten(), nn.Linear(144, CLASSES)).double()


def _soft(tau: float, warmup_epochs: int = 0) -> dict[str, Term]:
    pair = Pair(Signals(torch.zeros(2, CLASSES)), Signals(torch.zeros(2, CLASSES)), CLASSES, torch.arange(EXAMPLES))
    return {
        "kd": Term(SoftTargets(pair, tau=tau, standardise=False), 2.0, warmup_epochs, mixed=True),
        "logit_mse": Term(LogitMSE(pair), 0.5, 0, mixed=True),
    }


def _everyone(size: int, terms: dict[str, Term]) -> list[Lesson]:
    pair = Pair(Signals(torch.zeros(2, CLASSES)), Signals(torch.zeros(2, CLASSES)), CLASSES, torch.arange(EXAMPLES))
    return [Lesson(one, other, pair, terms) for one, other in permutations(range(size), 2)]


def _written_out(logits: list[Tensor], labels: Tensor, tau: float, alpha: float) -> list[float]:
    """The loss of each network, example by example."""
    losses = []
    for own in logits:
        label_side, others = 0.0, 0.0
        heard = [other for other in logits if other is not own]
        for row, label in enumerate(labels.tolist()):
            label_side -= float(own[row].log_softmax(0)[label])
            for other in heard:
                said, ours = (other[row] / tau).softmax(0), (own[row] / tau).softmax(0)
                divergence = sum(float(p * (p.log() - q.log())) for p, q in zip(said, ours, strict=True))
                squares = sum(float((p - q) ** 2) for p, q in zip(other[row], own[row], strict=True))
                others += (2.0 * tau**2 * divergence + 0.5 * squares / CLASSES) / len(heard)
        losses.append(((1 - alpha) * label_side + alpha * others) / len(labels))
    return losses


@pytest.mark.parametrize(("tau", "alpha"), [(1.0, 0.5), (3.0, 0.2)])
def test_each_of_three_learns_from_labels_and_from_the_mean_of_the_two_others(tau: float, alpha: float) -> None:
    networks, batch = [_linear(number) for number in range(3)], _batch(torch.float64)
    mode = Online(Cohort(networks), _everyone(3, _soft(tau)), weights=LossWeights(alpha, None))
    parts = {name: float(part.detach()) for name, part in zip(mode.part_names, mode.losses(batch, None), strict=True)}
    with torch.no_grad():
        expected = _written_out([network(batch.inputs) for network in networks], batch.labels, tau, alpha)
    assert [parts[f"loss_{number}"] for number in (1, 2, 3)] == pytest.approx(expected, abs=1e-10)
    assert parts["loss"] == pytest.approx(sum(expected), abs=1e-10)


def test_the_parts_are_named_by_network() -> None:
    mode = Online(Cohort([_linear(0), _linear(1)]), _everyone(2, _soft(1.0)), weights=LossWeights(0.5, None))
    of_each = [[f"{name}_{number}" for name in ("loss", "ce", "kd", "logit_mse")] for number in (1, 2)]
    assert mode.part_names == ("loss", *of_each[0], *of_each[1])


def test_one_that_hears_nobody_learns_from_labels_alone_whatever_alpha_is() -> None:
    networks, batch = [_linear(0), _linear(1)], _batch(torch.float64)
    (lesson, _) = _everyone(2, _soft(1.0))
    mode = Online(Cohort(networks), [lesson], weights=LossWeights(0.9, None))
    parts = dict(zip(mode.part_names, mode.losses(batch, None), strict=True))
    assert torch.equal(parts["loss_2"], functional.cross_entropy(networks[1](batch.inputs), batch.labels))
    assert "kd_2" not in parts


@pytest.mark.parametrize("option", [term for term in TERMS if term != NEEDS_A_TEACHER])
def test_no_gradient_of_one_networks_loss_reaches_another_or_its_adapters(option: str) -> None:
    composer = Composer()
    config = composer.config(one_point([f"knowledge={option}"], composer.groups, "distill")).knowledge
    widths = (4, 4) if option == "relation/fsp" else (4, 6)  # which wants maps of one width
    torch.manual_seed(0)
    lessons = []
    for one, other in ((0, 1), (1, 0)):
        pair = _pair(_conv(widths[one]), _conv(widths[other]))
        lessons.append(Lesson(one, other, pair, terms_of(config, pair)))
    mode = Online(Cohort([_conv(width) for width in widths]), lessons, weights=LossWeights(0.5, None))
    mode.trained.train()
    parts = dict(zip(mode.part_names, mode.losses(_batch(), None), strict=True))
    for own, foreign in ((1, 2), (2, 1)):
        reached = {
            name
            for name, parameter in mode.trained.named_parameters()
            if parameter.requires_grad
            and torch.autograd.grad(parts[f"loss_{own}"], parameter, retain_graph=True, allow_unused=True)[0]
            is not None
        }
        assert any(name.startswith(f"cohort.members.{own - 1}.") for name in reached)
        allowed = (f"cohort.members.{own - 1}.", f"terms.{own}_{foreign}.")
        assert [name for name in reached if not name.startswith(allowed)] == []


class Careless:
    """A term that would let gradients through to whoever speaks."""

    student_layers = teacher_layers = ("1",)

    def __call__(self, student: Signals, teacher: Signals, batch: Batch) -> Tensor:
        return (student.logits * teacher.logits + student.features["1"] * teacher.features["1"]).mean()


def test_what_others_say_is_a_constant_whatever_a_term_does_with_it() -> None:
    networks = [_linear(0), _linear(1)]
    mode = Online(
        Cohort(networks),
        _everyone(2, {"careless": Term(Careless(), 1.0, 0, mixed=True)}),
        weights=LossWeights(1.0, None),
    )
    parts = dict(zip(mode.part_names, mode.losses(_batch(torch.float64), None), strict=True))
    for own, foreign in ((0, 1), (1, 0)):
        asked = [next(networks[own].parameters()), next(networks[foreign].parameters())]
        reached = torch.autograd.grad(parts[f"loss_{own + 1}"], asked, retain_graph=True, allow_unused=True)
        assert [gradient is not None for gradient in reached] == [True, False]


def test_compiled_networks_are_the_members_each_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    compiled: list[object] = []
    monkeypatch.setattr("torch.compile", lambda asked, **_options: compiled.append(asked.__self__.network) or asked)
    networks = [_linear(0), _linear(1)]
    Online(Cohort(networks), _everyone(2, _soft(1.0)), weights=LossWeights(0.5, None)).compile(mode="default")
    assert compiled == networks
