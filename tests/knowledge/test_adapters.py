"""Adapters meet the teacher's shape with the kernel that the two sizes call for."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from kdrun.errors import UserError
from kdrun.knowledge.adapters import Norm, connector, regressor, resampling

SIDES = st.integers(1, 12)


def shape(*sizes: int) -> torch.Size:
    return torch.Size((4, *sizes))


@pytest.mark.parametrize(
    ("source", "target", "kind", "kernel", "stride"),
    [
        (8, 8, nn.Conv2d, 1, 1),
        (8, 4, nn.Conv2d, 3, 2),
        (4, 8, nn.ConvTranspose2d, 4, 2),
        (32, 8, nn.Conv2d, 4, 4),
        (7, 3, nn.Conv2d, 3, 2),
        (2, 8, nn.ConvTranspose2d, 4, 4),
    ],
)
def test_the_kernel_follows_from_the_two_sizes(source: int, target: int, kind: type, kernel: int, stride: int) -> None:
    layer = resampling(shape(2, source, source), shape(3, target, target))
    assert type(layer) is kind
    assert (layer.kernel_size, layer.stride) == ((kernel, kernel), (stride, stride))


@settings(deadline=None, max_examples=40)
@given(small=st.tuples(SIDES, SIDES), more=st.tuples(SIDES, SIDES), grows=st.booleans())
def test_any_two_sizes_in_one_direction_are_joined(small: tuple[int, int], more: tuple[int, int], grows: bool) -> None:
    sizes = [small, (small[0] + more[0] - 1, small[1] + more[1] - 1)]
    source, target = sizes if grows else sizes[::-1]
    adapted = resampling(shape(2, *source), shape(3, *target))(torch.zeros(4, 2, *source))
    assert adapted.shape == (4, 3, *target)


def test_every_pixel_of_a_shrinking_map_is_seen() -> None:
    source = torch.zeros(1, 1, 11, 7, requires_grad=True)
    layer = resampling(shape(1, 11, 7), shape(1, 4, 3))
    nn.init.ones_(layer.weight)  # type: ignore[arg-type]
    layer(source).sum().backward()
    assert source.grad is not None
    assert (source.grad > 0).all()


def test_a_regressor_of_maps_is_convolution_norm_and_relu() -> None:
    parts = [type(part) for part in regressor(shape(2, 8, 8), shape(3, 8, 8)).children()]
    assert parts == [nn.Conv2d, Norm, nn.ReLU]


def test_a_connector_keeps_negative_values() -> None:
    torch.manual_seed(0)
    assert (connector(shape(2, 4, 4), shape(3, 4, 4))(torch.randn(4, 2, 4, 4)) < 0).any()


def test_a_regressor_of_vectors_is_linear() -> None:
    layer = regressor(shape(5), shape(7))
    assert isinstance(layer, nn.Linear)
    assert layer(torch.zeros(2, 5)).shape == (2, 7)


@pytest.mark.parametrize(
    ("source", "target", "message"),
    [
        (
            (2, 8, 8),
            (3,),
            "no adapter from 2 x 8 x 8 to 3: choose two maps or two vectors",
        ),
        (
            (2, 8, 4),
            (3, 4, 8),
            "no adapter from 2 x 8 x 4 to 3 x 4 x 8: one side grows, one shrinks; choose other layers",
        ),
    ],
)
def test_shapes_that_no_layer_joins_are_refused(source: tuple[int, ...], target: tuple[int, ...], message: str) -> None:
    with pytest.raises(UserError) as caught:
        regressor(shape(*source), shape(*target))
    assert caught.value.message == message


def test_a_single_value_per_channel_is_normalised_by_the_running_statistics() -> None:
    norm = Norm(2)
    norm(torch.tensor([[3.0, 1.0], [5.0, 1.0]])[:, :, None, None])  # means 4 and 1, unbiased variances 2 and 0
    before = {name: value.clone() for name, value in norm.state_dict().items()}
    single = norm(torch.tensor([[1.0, 1.0]])[:, :, None, None]).flatten()
    expected = torch.tensor([(1 - 0.4) / (1.1 + 1e-5) ** 0.5, (1 - 0.1) / (0.9 + 1e-5) ** 0.5])
    torch.testing.assert_close(single, expected)
    torch.testing.assert_close(norm.state_dict(), before)


def test_several_values_per_channel_are_normalised_by_the_batch() -> None:
    values = torch.randn(3, 2, 2, 2)
    torch.testing.assert_close(Norm(2)(values).mean(dim=(0, 2, 3)), torch.zeros(2))
