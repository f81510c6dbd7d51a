"""Knowledge review: its loss against the formula written out in loops, and its fusions."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from kdrun.errors import UserError
from kdrun.knowledge import made_up
from kdrun.knowledge.reviewkd import Fusion, ReviewKD, hierarchical_context_loss
from kdrun.signals import Pair

small = st.integers(1, 3)


def draw(seed: int, *shape: int) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def built(pair: Pair, *, teacher_layers: list[str] | None = None, max_width: int = 512) -> ReviewKD:
    torch.manual_seed(0)
    return ReviewKD(
        pair, student_layers=None, teacher_layers=teacher_layers, max_width=max_width, pools=[4, 2, 1]
    ).double()


def looped(student: Tensor, teacher: Tensor, weights: dict[int, float]) -> float:
    """weights: of each side of the averaged maps, which divide the full side."""
    batch, channels, full = student.shape[:3]
    difference = (student - teacher).tolist()
    total = 0.0
    for side, weight in weights.items():
        step, squares = full // side, 0.0
        for image in difference:
            for channel in image:
                for top in range(0, full, step):
                    for left in range(0, full, step):
                        block = [channel[y][x] for y in range(top, top + step) for x in range(left, left + step)]
                        squares += (sum(block) / len(block)) ** 2
        total += weight * squares / (batch * channels * side * side)
    return total / sum(weights.values())


WEIGHTS = {
    8: {8: 1.0, 4: 0.5, 2: 0.25, 1: 0.125},
    4: {4: 1.0, 2: 0.5, 1: 0.25},
    2: {2: 1.0, 1: 0.5},
    1: {1: 1.0},
}


@settings(deadline=None, max_examples=20)
@given(batch=small, channels=small, side=st.sampled_from(sorted(WEIGHTS)), seed=st.integers(0, 2**31))
def test_the_loss_equals_the_written_out_loop(batch: int, channels: int, side: int, seed: int) -> None:
    student, teacher = draw(seed, batch, channels, side, side), draw(seed + 1, batch, channels, side, side)
    value = hierarchical_context_loss(student, teacher, pools=[4, 2, 1]).item()
    assert value == pytest.approx(looped(student, teacher, WEIGHTS[side]), abs=1e-10)


def test_equal_maps_cost_nothing() -> None:
    value = draw(0, 2, 3, 8, 8)
    assert hierarchical_context_loss(value, value, pools=[4, 2, 1]).item() == 0
    assert hierarchical_context_loss(value.roll(1, 0), value, pools=[4, 2, 1]).item() > 0.1


def test_gradients_match_finite_differences_and_spare_the_teacher() -> None:
    student, teacher = draw(0, 1, 2, 4, 4).requires_grad_(), draw(1, 1, 2, 4, 4).requires_grad_()
    fixed = teacher.detach()
    assert torch.autograd.gradcheck(lambda s: hierarchical_context_loss(s, fixed, pools=[2, 1]), student)
    hierarchical_context_loss(student, teacher, pools=[2, 1]).backward()
    assert teacher.grad is None


@pytest.mark.parametrize(("own", "others"), [(1.0, 0.0), (0.0, 1.0), (1.0, 1.0)])
def test_a_fusion_weighs_its_layer_against_the_deeper_one(own: float, others: float) -> None:
    torch.manual_seed(0)
    fusion = Fusion(3, 2, 5, deeper=True).double()
    assert fusion.shares is not None
    convolution = fusion.shares[0]
    assert isinstance(convolution, nn.Conv2d)
    nn.init.zeros_(convolution.weight)
    assert convolution.bias is not None
    convolution.bias.data = torch.tensor([own, others], dtype=torch.float64) * 2000 - 1000  # sigmoid 0 or 1
    layer, behind = draw(0, 4, 3, 4, 4), draw(1, 4, 2, 2, 2)
    guess, fused = fusion(layer, behind, (8, 8))
    spread = behind.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)
    torch.testing.assert_close(fused, own * fusion.narrow(layer) + others * spread)
    assert guess.shape == (4, 5, 8, 8)


def test_a_deep_layer_of_the_student_learns_from_a_shallow_one_of_the_teacher() -> None:
    pair = made_up.example_pair()
    term = built(pair)
    teacher = made_up.signals(pair.teacher, 1)
    gradients = []
    for shallow in (teacher.features["stage1_preact"], 5 * teacher.features["stage1_preact"]):
        student = made_up.signals(pair.student, 0, leaf=True)
        features = {**teacher.features, "stage1_preact": shallow}
        term(student, teacher._replace(features=features), made_up.batch(pair)).backward()
        gradients.append(student.features["pooled"].grad)
    assert not torch.allclose(gradients[0], gradients[1])


def test_a_shallow_layer_of_the_student_learns_nothing_from_a_deep_one_of_the_teacher() -> None:
    pair = made_up.example_pair()
    term = built(pair)
    teacher = made_up.signals(pair.teacher, 1)
    gradients = []
    for deep in (teacher.features["pooled"], 5 * teacher.features["pooled"]):
        student = made_up.signals(pair.student, 0, leaf=True)
        features = {**teacher.features, "pooled": deep}
        term(student, teacher._replace(features=features), made_up.batch(pair)).backward()
        gradients.append(student.features["stage1"].grad)
    torch.testing.assert_close(gradients[0], gradients[1], rtol=0, atol=0)


def test_the_student_is_read_behind_and_the_teacher_before_the_relu() -> None:
    term = built(made_up.example_pair())
    assert term.student_layers == ("stage1", "stage2", "stage3", "pooled")
    assert term.teacher_layers == ("stage1_preact", "stage2_preact", "stage3_preact", "pooled")


@pytest.mark.parametrize(("max_width", "width"), [(512, 8), (3, 3)])
def test_fusions_are_as_wide_as_the_deepest_layer_up_to_a_limit(max_width: int, width: int) -> None:
    term = built(made_up.example_pair(), max_width=max_width)
    assert [fusion.narrow[0].out_channels for fusion in term.fusions] == [width] * 4


def test_an_unequal_number_of_stages_is_refused() -> None:
    with pytest.raises(UserError, match=r"stages do not pair up: the student has 4 .*, the teacher 1 "):
        built(made_up.example_pair(), teacher_layers=["stage3"])


def test_a_width_below_one_is_refused() -> None:
    with pytest.raises(UserError) as caught:
        built(made_up.example_pair(), max_width=0)
    assert caught.value.message == "max_width must be >= 1, got 0"
