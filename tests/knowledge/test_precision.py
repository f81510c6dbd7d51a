from __future__ import annotations

import pytest
import torch
from torch import Tensor

from kdrun.knowledge.precision import in_float32


@in_float32
def product(values: list[Tensor], other: Tensor) -> Tensor:
    return values[0] @ other


@pytest.mark.parametrize("half", [torch.float16, torch.bfloat16])
def test_half_precision_is_widened_and_autocast_is_off(half: torch.dtype) -> None:
    with torch.autocast("cpu", dtype=torch.bfloat16):
        result = product([torch.ones(1, 3, dtype=half)], torch.full((3, 1), 1.001))
    assert result.dtype == torch.float32
    assert result.item() == pytest.approx(3.003, rel=1e-6)


def test_float64_stays_float64() -> None:
    one = torch.ones(1, 1, dtype=torch.float64)
    assert product([one], one).dtype == torch.float64


def test_a_tensor_from_inference_mode_may_be_kept_for_the_gradient() -> None:
    with torch.inference_mode():
        teacher = torch.ones(3, 1)
    student = torch.ones(1, 3, requires_grad=True)
    product([student], teacher).backward()
    assert student.grad is not None


def test_shapes_alone_may_pass_through_on_the_meta_device() -> None:
    one = torch.ones(1, 1, device="meta")
    assert product([one], one).shape == (1, 1)
