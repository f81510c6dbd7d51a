"""What the words for devices and precisions mean."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pytest
import torch

from kdrun.training.precision import autocast, choose_precision, compute_fp32_as_fp32

CPU = torch.device("cpu")


@pytest.mark.parametrize(
    ("capabilities", "precision"),
    [
        ({"avx512_f": True, "avx512_bf16": False, "amx_bf16": False}, "fp32"),
        ({"avx512_f": True, "avx512_bf16": True}, "bf16"),
        ({"amx_bf16": True}, "bf16"),
        ({"neon": True, "bf16": True}, "bf16"),
        ({"neon": True}, "fp32"),
    ],
)
def test_auto_is_bf16_where_the_processor_has_it(
    capabilities: Mapping[str, bool], precision: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities, raising=False)
    assert choose_precision("auto", CPU) == precision
    assert choose_precision("fp16", CPU) == "fp16"


@pytest.mark.parametrize(
    ("precision", "dtype"), [("fp32", torch.float32), ("bf16", torch.bfloat16), ("fp16", torch.float16)]
)
def test_products_are_computed_in_the_precision(precision: str, dtype: torch.dtype) -> None:
    with autocast(CPU, precision):
        assert torch.nn.Linear(2, 2)(torch.ones(1, 2)).dtype == dtype


@pytest.fixture
def _tf32() -> Iterator[None]:
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = True
    yield
    compute_fp32_as_fp32()


@pytest.mark.usefixtures("_tf32")
def test_fp32_is_not_tf32() -> None:
    compute_fp32_as_fp32()
    assert not torch.backends.cudnn.allow_tf32
    assert not torch.backends.cuda.matmul.allow_tf32
