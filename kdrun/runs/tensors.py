"""Training states and weights as the bytes of their files, and back."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from kdrun.runs.integrity import check_footer, footer

if TYPE_CHECKING:
    from torch import Tensor

_ALIASES = "__metadata__"  # the one entry of a safetensors header that is no tensor


def state_bytes(state: Mapping[str, Any], place: str = "") -> bytes:
    """A training state in torch's format, with a footer (see `kdrun.runs.integrity`)."""
    import torch

    buffer = io.BytesIO()
    with _without_torchs_digests():
        torch.save(dict(state), buffer)
    buffer.write(footer(buffer.getbuffer(), place))
    return buffer.getvalue()


def state_from(content: bytes, place: str = "") -> dict[str, Any]:
    """The training state, on the CPU. Raises DigestMismatchError where the bytes are not those that were written."""
    import torch

    buffer = io.BytesIO(content)
    check_footer(buffer, place)
    buffer.seek(0)
    state: dict[str, Any] = torch.load(buffer, map_location="cpu", weights_only=True)
    return state


@contextmanager
def _without_torchs_digests() -> Iterator[None]:
    """Keeps torch.save from computing CRC-32s, which torch.load does not check.

    200 MB take 0.11 s instead of 0.25 s (torch 2.14, medians of 7); the footer's digest takes 0.10 s.
    """
    from torch.serialization import get_crc32_options, set_crc32_options

    before = get_crc32_options()
    set_crc32_options(False)
    try:
        yield
    finally:
        set_crc32_options(before)


def weights_bytes(weights: Mapping[str, Tensor]) -> bytes:
    """A state dict as a safetensors file.

    Of a tensor with several names (tied weights) one is saved; the metadata map the others to it, as
    `safetensors.torch.save_model` does. Tensors that share a part of their memory are saved each by itself.
    """
    from safetensors.torch import save

    first: dict[tuple[Any, ...], str] = {}
    names = {name: first.setdefault(_place(name, tensor), name) for name, tensor in sorted(weights.items())}
    aliases = {name: kept for name, kept in names.items() if name != kept}
    storages: set[int] = set()
    own = {name: _in_own_memory(tensor, storages) for name, tensor in weights.items() if name not in aliases}
    return bytes(save(own, metadata=aliases or None))


def weights_from(content: bytes) -> dict[str, Tensor]:
    """The state dict, on the CPU; tied weights have all their names."""
    from safetensors.torch import load

    weights: dict[str, Tensor] = load(content)
    start = 8  # bytes of the header's length
    header = json.loads(content[start : start + int.from_bytes(content[:start], "little")])
    return weights | {alias: weights[kept] for alias, kept in header.get(_ALIASES, {}).items()}


def _place(name: str, tensor: Tensor) -> tuple[Any, ...]:
    """Equal for tensors that are one; an empty tensor is never another."""
    where = tensor.untyped_storage().data_ptr(), tensor.storage_offset()
    layout = str(tensor.device), tensor.dtype, tuple(tensor.shape), tensor.stride()
    return (*where, *layout) if tensor.numel() else (name,)


def _in_own_memory(tensor: Tensor, storages: set[int]) -> Tensor:
    """The tensor on the CPU, contiguous; a copy where its storage is in `storages`, to which it is added."""
    there = tensor.untyped_storage().data_ptr()
    shared = there in storages
    storages.add(there)
    found = tensor.detach().cpu().contiguous()
    return found.clone() if shared else found
