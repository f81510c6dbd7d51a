"""Devices and precision: what the configuration's words mean on this machine."""

from __future__ import annotations

import torch

from kdrun.errors import UserError

_DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}


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


def autocast(device: torch.device, precision: str) -> torch.autocast:
    """A context in which networks compute in `precision`; weights and losses stay in float32."""
    dtype = _DTYPES[precision]
    enabled = dtype is not torch.float32
    return torch.autocast(device.type, dtype=dtype if enabled else torch.bfloat16, enabled=enabled)


def seed_device(device: torch.device, seed: int) -> None:
    """Seeds the generators that dropout and initialisation draw from, on the CPU and on the device.

    `torch.manual_seed` does the same for every kind of device there is, and takes 60 times as long.
    """
    torch.default_generator.manual_seed(seed)
    if device.type == "cuda":
        torch.cuda.default_generators[device.index or 0].manual_seed(seed)
