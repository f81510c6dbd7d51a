from __future__ import annotations

import torch
from torch import nn

from kdrun.models.blocks import Residual, conv_bn, global_average, he_init, projection_where_needed


def test_he_init_draws_by_fan_out_and_clears_biases() -> None:
    torch.manual_seed(0)
    conv = nn.Conv2d(64, 128, 3)
    he_init(conv)
    expected = (2 / (128 * 9)) ** 0.5
    assert abs(conv.weight.std().item() / expected - 1) < 0.02
    assert conv.bias is not None
    assert not conv.bias.any()


def test_residual_activates_the_sum() -> None:
    block = Residual(nn.Flatten(), nn.Identity(), nn.ReLU())
    features = torch.tensor([[-1.0, 2.0]])
    assert block(features).tolist() == [[0.0, 4.0]]


def test_a_shortcut_is_projected_only_where_shapes_change() -> None:
    assert isinstance(projection_where_needed(4, 4, 1), nn.Identity)
    assert projection_where_needed(4, 8, 1)(torch.randn(2, 4, 6, 6)).shape == (2, 8, 6, 6)
    assert projection_where_needed(4, 4, 2)(torch.randn(2, 4, 6, 6)).shape == (2, 4, 3, 3)


def test_conv_bn_keeps_the_resolution_at_stride_one() -> None:
    for kernel in (1, 3, 5):
        assert conv_bn(2, 4, kernel)(torch.randn(2, 2, 7, 7)).shape == (2, 4, 7, 7)


def test_global_average_gives_one_number_a_channel() -> None:
    features = torch.randn(2, 3, 4, 5)
    torch.testing.assert_close(global_average()(features), features.mean(dim=(2, 3)))
