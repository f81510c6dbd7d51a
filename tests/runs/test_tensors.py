"""Tensors in files: training states and weights, tied ones too."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_model
from torch import nn
from torch.serialization import get_crc32_options
from toy import Tied

from kdrun.runs.integrity import DigestMismatchError
from kdrun.runs.tensors import state_bytes, state_from, weights_bytes, weights_from


def _network(seed: int) -> Tied:
    torch.manual_seed(seed)
    return Tied(in_channels=1, image_size=6, num_classes=4, width=8)


def test_tied_weights_are_saved_once_and_come_back_under_all_their_names(tmp_path: Path) -> None:
    saved, restored = _network(0), _network(1)
    content = weights_bytes(saved.state_dict())
    (tmp_path / "w").write_bytes(content)
    with safe_open(tmp_path / "w", "pt") as file:
        assert file.metadata() == {"second.weight": "first.weight"}
        assert "second.weight" not in file.keys()  # noqa: SIM118 - not a dictionary
    weights = weights_from(content)
    assert weights["second.weight"] is weights["first.weight"]
    restored.load_state_dict(weights, strict=True)
    for name, value in saved.state_dict().items():
        assert torch.equal(restored.state_dict()[name], value)


def test_safetensors_itself_loads_a_network_with_tied_weights(tmp_path: Path) -> None:
    saved, restored = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3)), nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))
    for network in (saved, restored):
        network[1].weight = network[0].weight
    (tmp_path / "w").write_bytes(weights_bytes(saved.state_dict()))
    assert load_model(restored, tmp_path / "w") == (set(), [])
    assert torch.equal(restored[1].weight, saved[0].weight)


def test_parts_of_one_tensor_are_saved_each_by_itself() -> None:
    whole = torch.arange(12.0).reshape(4, 3)
    parts = {"whole": whole, "rows": whole[1:3], "turned": whole.T, "again": whole[1:3], "none": whole[:0]}
    weights = weights_from(weights_bytes(parts))
    assert weights.keys() == parts.keys()
    for name, part in parts.items():
        assert torch.equal(weights[name], part)


def test_weights_that_share_nothing_have_no_metadata() -> None:
    content = weights_bytes({"b": torch.ones(2), "a": torch.ones(2), "empty": torch.ones(0), "void": torch.ones(0)})
    assert b"__metadata__" not in content


def test_a_state_is_still_one_that_torch_loads_and_torchs_own_setting_stays() -> None:
    before = get_crc32_options()
    content = state_bytes({"training": {"w": torch.arange(3.0)}})
    assert get_crc32_options() == before
    loaded = torch.load(io.BytesIO(content), weights_only=True)
    assert torch.equal(loaded["training"]["w"], torch.arange(3.0))


@pytest.mark.parametrize("change", [lambda c: c[:-1], lambda c: c + b"0", lambda c: c[20:], lambda c: b""])
def test_a_state_of_another_length_is_noticed(change) -> None:
    content = state_bytes({"w": torch.ones(100)})
    assert torch.equal(state_from(content)["w"], torch.ones(100))
    with pytest.raises(DigestMismatchError):
        state_from(change(content))
