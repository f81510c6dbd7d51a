"""The weights in conf/knowledge are the published ones, in the form of the combined loss."""

from __future__ import annotations

from pathlib import Path

import pytest
from omegaconf import OmegaConf

FOLDER = Path(__file__).parents[2] / "conf" / "knowledge"

# name: gamma and beta of the published gamma * CE + beta * L, and the alpha it belongs to.
PUBLISHED = {
    "response/kd": (0.1, 0.9, 0.9),
    "response/logit_std": (0.1, 9, 0.9),
    "response/dkd": (1, 1, 0.5),
    "response/dist": (1, 1, 0.5),
    "feature/fitnet": (1, 100, 0.5),
    "feature/attention": (1, 1000, 0.5),
    "feature/nst": (1, 50, 0.5),
    "feature/vid": (1, 1, 0.5),
    "feature/factor": (1, 200, 0.5),
    "relation/rkd": (1, 1, 0.5),
    "relation/similarity": (1, 3000, 0.5),
    "relation/correlation": (1, 0.02, 0.5),
    "relation/pkt": (1, 30000, 0.5),
    "relation/crd": (1, 0.8, 0.5),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_combined_loss_is_the_published_one_times_a_constant(name: str) -> None:
    gamma, beta, alpha = PUBLISHED[name]
    weight = OmegaConf.load(FOLDER / f"{name}.yaml").weight
    assert alpha * weight / (1 - alpha) == pytest.approx(beta / gamma)


def test_weights_inside_a_term_are_the_published_ones() -> None:
    rkd, dist = (OmegaConf.load(FOLDER / f"{name}.yaml") for name in ("relation/rkd", "response/dist"))
    assert (rkd.distance_weight, rkd.angle_weight) == (25, 50)
    assert (dist.inter_weight, dist.intra_weight) == (2, 2)
