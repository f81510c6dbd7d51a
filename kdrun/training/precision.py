"""Devices and precision: what the configuration's words mean on this machine."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext

import torch

from kdrun.errors import UserError

_AUTOCAST = {"bf16": torch.bfloat16, "fp16": torch.float16}

# What `torch.cpu` calls bfloat16 products in hardware: x86 in vectors, x86 in tiles, ARM.
_CPU_BF16 = ("avx512_bf16", "amx_bf16", "bf16")


def choose_device(name: str) -> torch.device:
    """The device for `device=`: auto is the first CUDA device, or the CPU where there is none.

    Raises UserError for a device that torch does not know or that is not here.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise UserError(f"unknown device {name!r}; use auto, cpu, cuda or cuda:N") from error
    count = {"cpu": 1, "cuda": torch.cuda.device_count()}.get(device.type, 0)
    if (device.index or 0) >= count:
        raise UserError(f"device {name!r} is not on this machine; use auto or cpu")
    return device


def choose_precision(name: str, device: torch.device) -> str:
    """The precision for `precision=`: auto is bf16 where the device has it in hardware, else fp32."""
    if name != "auto":
        return name
    return "bf16" if _has_bf16(device) else "fp32"


def _has_bf16(device: torch.device) -> bool:
    if device.type == "cuda":
        with torch.cuda.device(device):
            return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    # Early versions of torch cannot tell.
    capabilities: Mapping[str, object] = getattr(torch.cpu, "get_capabilities", dict)()
    return any(capabilities.get(name) for name in _CPU_BF16)


def compute_fp32_as_fp32() -> None:
    """Switches TensorFloat-32 off in this process: a GPU's products of float32 then have all of its 24 bits.

    Torch has it on for convolutions and off for matrix products.
    """
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False


def autocast(device: torch.device, precision: str) -> AbstractContextManager[object]:
    """A context in which networks compute in `precision`; weights and losses stay in float32."""
    return torch.autocast(device.type, dtype=_AUTOCAST[precision]) if precision in _AUTOCAST else nullcontext()


def grad_scaler(device: torch.device, precision: str) -> torch.amp.GradScaler:
    """Scales losses under fp16, so that small gradients are not lost to its range; under the others it does nothing."""
    return torch.amp.GradScaler(device.type, enabled=precision == "fp16")


def seed_device(device: torch.device, seed: int) -> None:
    """Seeds the generators that dropout and initialisation draw from, on the CPU and on the device.

    `torch.manual_seed` does the same for every kind of device there is, and takes 60 times as long.
    """
    torch.default_generator.manual_seed(seed)
    if device.type == "cuda":
        torch.cuda.default_generators[device.index or 0].manual_seed(seed)
