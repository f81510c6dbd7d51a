from __future__ import annotations

import pytest
import torch

from kdrun.data.normalise import Normalise, channel_statistics
from kdrun.data.split import Part
from kdrun.errors import UserError


def part_of(images: torch.Tensor) -> Part:
    return Part(images, torch.zeros(len(images)).long(), torch.arange(len(images)))


def test_pixels_become_deviations_from_the_mean_of_their_channel() -> None:
    images = torch.randint(0, 256, (4, 2, 3, 5), dtype=torch.uint8)
    mean, std = (0.1, 0.7), (0.3, 0.2)
    out = Normalise(mean, std)(images)
    assert out.dtype == torch.float32
    for channel in range(2):
        expected = (images[:, channel].double() / 255 - mean[channel]) / std[channel]
        torch.testing.assert_close(out[:, channel].double(), expected, atol=1e-5, rtol=1e-5)


def test_inputs_first_made_under_inference_mode_leave_later_ones_trainable() -> None:
    images = torch.full((1, 1, 1, 1), 255, dtype=torch.uint8)
    normalise = Normalise((0.125,), (0.0625,))
    with torch.inference_mode():
        normalise(images)
    weight = torch.ones((), requires_grad=True)
    (normalise(images) * weight).sum().backward()
    assert weight.grad is not None
    assert weight.grad.item() == pytest.approx(14.0)


def test_statistics_are_those_of_all_pixels_of_each_channel() -> None:
    images = torch.randint(0, 256, (7, 3, 4, 4), dtype=torch.uint8)
    got = channel_statistics(part_of(images))
    pixels = images.double().transpose(0, 1).flatten(1) / 255
    assert got.mean == pytest.approx(pixels.mean(1).tolist())
    assert got.std == pytest.approx(pixels.std(1, correction=0).tolist())


def test_statistics_do_not_depend_on_the_order_of_the_examples() -> None:
    images = torch.randint(0, 256, (50, 1, 9, 9), dtype=torch.uint8)
    assert channel_statistics(part_of(images)) == channel_statistics(part_of(images[torch.randperm(50)]))


def test_a_channel_of_one_grey_level_gives_finite_inputs() -> None:
    images = torch.full((2, 1, 3, 3), 7, dtype=torch.uint8)
    assert channel_statistics(part_of(images))(images).abs().max() < 1e-5


def test_means_for_another_number_of_channels_are_refused() -> None:
    with pytest.raises(UserError, match=r"dataset.mean has 1 numbers but the images have 3 channels"):
        Normalise((0.5,), (0.5,))(torch.zeros(1, 3, 2, 2, dtype=torch.uint8))


@pytest.mark.parametrize(("mean", "std"), [((0.5,), (0.5, 0.5)), ((0.5,), (0.0,)), ((0.5,), (-1.0,))])
def test_means_and_deviations_that_make_no_sense_are_refused(mean: tuple[float, ...], std: tuple[float, ...]) -> None:
    with pytest.raises(UserError, match=r"dataset.std"):
        Normalise(mean, std)
