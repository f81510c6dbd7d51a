"""Heads at a student's stages that its own end teaches."""

from __future__ import annotations

from math import exp, log

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from kdrun.errors import UserError
from kdrun.knowledge.made_up import example_pair
from kdrun.knowledge.relation import Similarity
from kdrun.knowledge.response import SoftTargets
from kdrun.models.convnet import ConvNet
from kdrun.models.mlp import Mlp
from kdrun.modes.byot import Byot, heads_for
from kdrun.modes.loss import LossWeights, Term
from kdrun.signals import Batch, Pair, Signals

CLASSES, ALPHA, TAU, HINT = 3, 0.7, 2.0, 0.5
IDS = torch.arange(8)


def _mlp(*widths: int) -> nn.Module:
    torch.manual_seed(0)
    return Mlp(
        in_channels=1,
        image_size=4,
        num_classes=CLASSES,
        widths=widths,
        dropout=0.0,
        input_dropout=0.0,
        max_norm=None,
    )


def _conv() -> nn.Module:
    torch.manual_seed(0)
    return ConvNet(
        in_channels=1, image_size=8, num_classes=CLASSES, stem_width=2, stem_stride=1, widths=[4, 6, 10], convs=1
    )


def _pair(features: dict[str, tuple[int, ...]]) -> Pair:
    shapes = {name: torch.empty(2, *shape, device="meta") for name, shape in features.items()}
    signals = Signals(torch.empty(2, CLASSES, device="meta"), shapes)
    return Pair(signals, signals, CLASSES, IDS)


THREE = {"hidden1": (7,), "hidden1_preact": (7,), "hidden2": (5,), "hidden3": (6,), "pooled": (6,)}
MAPS = {"stem": (2, 8, 8), "stage1": (4, 8, 8), "stage2": (6, 4, 4), "stage3": (10, 2, 2), "pooled": (10,)}


def _mode(network: nn.Module, pair: Pair, alpha: float = ALPHA, hint: float = HINT) -> Byot:
    terms = {"kd": Term(SoftTargets(pair, tau=TAU, standardise=False), 1.0, 0, mixed=True)}
    torch.manual_seed(1)
    mode = Byot(
        network, terms, pair=pair, exported=network, weights=LossWeights(alpha, None), needs_teacher=False, hint=hint
    )
    mode.trained.double()
    return mode


def _batch(size: int = 4) -> Batch:
    drawn = torch.Generator().manual_seed(3)
    inputs = torch.randn(len(IDS), 1, size, size, dtype=torch.float64, generator=drawn)
    return Batch(inputs, IDS % CLASSES, IDS, torch.zeros_like(IDS), 0)


def _through(linear: nn.Module, values: list[float]) -> list[float]:
    weights, biases = linear.weight.tolist(), linear.bias.tolist()
    return [
        sum(w * value for w, value in zip(row, values, strict=True)) + b for row, b in zip(weights, biases, strict=True)
    ]


def _relu(values: list[float]) -> list[float]:
    return [max(0.0, value) for value in values]


def _probs(logits: list[float], tau: float) -> list[float]:
    weights = [exp(one / tau) for one in logits]
    return [weight / sum(weights) for weight in weights]


def _written_out(network: nn.Module, heads: nn.ModuleDict, pixels: list[float], label: int) -> float:
    hidden = [pixels]
    for layer in network.hidden:
        hidden.append(_relu(_through(layer[0], hidden[-1])))
    end = _through(network.classifier, hidden[-1])
    loss = -log(_probs(end, 1.0)[label])
    for number in (1, 2):
        head = heads[f"hidden{number}"]
        feature = _relu(_through(head.bottleneck[0], hidden[number]))
        logits = _through(head.classifier, feature)
        kl = sum(p * log(p / q) for p, q in zip(_probs(end, TAU), _probs(logits, TAU), strict=True))
        squares = [(own - theirs) ** 2 for own, theirs in zip(feature, hidden[-1], strict=True)]
        loss += (1 - ALPHA) * -log(_probs(logits, 1.0)[label]) + ALPHA * TAU**2 * kl
        loss += HINT * sum(squares) / len(squares)
    return loss


def test_the_loss_is_the_ends_and_each_heads_and_the_hints() -> None:
    network, batch = _mlp(7, 5, 6), _batch()
    mode = _mode(network, _pair(THREE))
    parts = dict(zip(mode.part_names, mode.losses(batch, None), strict=True))
    heads = mode.trained["heads"]
    pairs = zip(batch.inputs.flatten(1).tolist(), batch.labels.tolist(), strict=True)
    expected = sum(_written_out(network, heads, pixels, label) for pixels, label in pairs) / len(IDS)
    assert parts["loss"].item() == pytest.approx(expected, rel=1e-6)
    assert list(parts) == ["loss", "ce", "heads_ce", "heads_kd", "heads_hint"]
    sides = parts["ce"] + (1 - ALPHA) * parts["heads_ce"] + ALPHA * parts["heads_kd"] + HINT * parts["heads_hint"]
    assert torch.allclose(parts["loss"], sides)


class Leaking(nn.Module):
    """A term that would let gradient through to its teacher."""

    student_layers: tuple[str, ...] = ()
    teacher_layers: tuple[str, ...] = ()

    def forward(self, student: Signals, teacher: Signals, batch: Batch) -> Tensor:
        return (student.logits - teacher.logits).square().mean()


def test_the_end_is_a_teacher_without_gradient() -> None:
    network, alone, batch = _mlp(7, 5, 6), _mlp(7, 5, 6).double(), _batch()
    terms = {"leaking": Term(Leaking(), 1.0, 0, mixed=True)}
    mode = Byot(
        network,
        terms,
        pair=_pair(THREE),
        exported=network,
        weights=LossWeights(ALPHA, None),
        needs_teacher=False,
        hint=HINT,
    )
    mode.trained.double()
    mode.losses(batch, None)[0].backward()
    functional.cross_entropy(alone(batch.inputs), batch.labels).backward()
    ours, expected = (dict(one.named_parameters()) for one in (network, alone))
    reached = {name: not torch.allclose(ours[name].grad, expected[name].grad) for name in ours}
    of_the_end = {"hidden.2.0.weight", "hidden.2.0.bias", "classifier.weight", "classifier.bias"}
    assert {name for name, heard in reached.items() if not heard} == of_the_end


@pytest.mark.parametrize(("network", "pair", "size"), [(_mlp(7, 5, 6), THREE, 4), (_conv(), MAPS, 8)])
def test_every_head_is_trained_and_the_network_that_is_kept_is_the_plain_one(
    network: nn.Module, pair: dict[str, tuple[int, ...]], size: int
) -> None:
    keys = list(network.state_dict())
    mode = _mode(network, _pair(pair))
    mode.losses(_batch(size), None)[0].backward()
    assert all(one.grad is not None for one in mode.trained.parameters())
    assert mode.student is network
    assert list(mode.student.state_dict()) == keys


def test_heads_stand_at_every_stage_but_the_last_and_lead_to_its_width() -> None:
    heads = heads_for(_pair(MAPS))
    assert list(heads) == ["stage1", "stage2"]
    for name, head in heads.items():
        feature, logits = head(torch.randn(2, *MAPS[name]))
        assert (feature.shape, logits.shape) == ((2, 10), (2, CLASSES))
    many = {f"hidden{number}": (4,) for number in (10, 9, 11)} | {"pooled": (4,)}
    assert list(heads_for(_pair(many))) == ["hidden9", "hidden10"]


def test_a_hint_of_weight_0_is_not_computed() -> None:
    mode = _mode(_mlp(7, 5, 6), _pair(THREE), hint=0.0)
    assert mode.part_names == ("loss", "ce", "heads_ce", "heads_kd")
    assert len(mode.losses(_batch(), None)) == 4


def test_what_is_compiled_computes_the_same() -> None:
    torch.compiler.reset()
    losses: list[list[Tensor]] = []
    for options in ({}, {"backend": "eager"}):
        mode = _mode(_conv(), _pair(MAPS))
        if options:
            mode.compile(**options)
        losses.append(list(mode.losses(_batch(8), None)))
    assert all(torch.equal(*pair) for pair in zip(*losses, strict=True))


@pytest.mark.parametrize("features", [{"hidden1": (7,), "pooled": (7,)}, {"stage1": (4, 2, 2), "stage2": (4, 1, 1)}])
def test_networks_without_two_stages_and_an_end_are_refused(features: dict[str, tuple[int, ...]]) -> None:
    with pytest.raises(UserError, match="mode=byot needs a student of two stages or more"):
        heads_for(_pair(features))


def test_terms_that_read_features_and_hints_below_0_are_refused() -> None:
    pair = example_pair()
    terms = {"similarity": Term(Similarity(pair, student_layer=None, teacher_layer=None), 1.0, 0, mixed=True)}
    with pytest.raises(UserError, match="knowledge similarity reads features, and a head"):
        Byot(_conv(), terms, pair=pair, exported=_conv(), weights=LossWeights(0.5, None), needs_teacher=False, hint=0.0)
    with pytest.raises(UserError, match=r"mode.hint must be at least 0, got -0.5"):
        _mode(_mlp(7, 5, 6), _pair(THREE), hint=-0.5)
