"""Networks side by side, and one of them taken out."""

from __future__ import annotations

import torch

from kdrun.models.cohort import Cohort, member
from kdrun.models.mlp import Mlp


def _network(width: int) -> Mlp:
    return Mlp(
        in_channels=1,
        image_size=4,
        num_classes=3,
        widths=[width],
        dropout=0.0,
        input_dropout=0.0,
        max_norm=None,
    )


def test_together_they_give_the_mean_of_their_logits() -> None:
    networks, images = [_network(5), _network(7), _network(5)], torch.randn(6, 1, 4, 4)
    one, two, three = (network(images) for network in networks)
    assert torch.allclose(Cohort(networks)(images), (one + two + three) / 3)


def test_a_member_is_the_network_itself_and_shares_nothing_with_the_cohort() -> None:
    cohort, images = Cohort([_network(5), _network(7)]), torch.randn(6, 1, 4, 4)
    own = member([cohort], peer=2)
    assert torch.equal(own(images), cohort.members[1](images))
    torch.nn.init.zeros_(own.get_submodule("classifier").weight)
    assert not torch.equal(own(images), cohort.members[1](images))
    assert next(own.parameters()).shape == (7, 16)
