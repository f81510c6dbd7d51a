"""What alpha and label_weight mean for a set of terms."""

from __future__ import annotations

import pytest

from kdrun.config.loss_weights import Weights, loss_weights
from kdrun.errors import UserError

KD = {"mix": True}
FITNET = {"mix": False}
SIMKD = {"mix": False, "label_weight": 0.0}


@pytest.mark.parametrize(
    ("terms", "alpha", "start", "typed", "expected"),
    [
        ({"kd": KD}, 0.7, None, None, (0.7, None)),
        ({"kd": KD}, 1, None, None, (1.0, None)),
        ({"kd": KD}, 0.7, None, 1, (0.7, 1.0)),
        ({"kd": KD}, 0.7, None, 0.3, (0.7, None)),  # although 1 - 0.7 is 0.30000000000000004
        ({"kd": KD}, 1, None, 0, (1.0, None)),  # the labels' weight that alpha leaves anyway
        ({"kd": KD}, 1, 0.0, 0, (1.0, 0.0)),  # not so under a schedule
        ({"kd": KD}, 0, None, None, (None, 1.0)),
        ({"kd": KD}, 0, None, 1, (None, 1.0)),
        ({"kd": KD}, 0, 0.9, None, (0.0, None)),
        ({"fitnet": FITNET}, 0.7, None, None, (None, 1.0)),
        ({"fitnet": FITNET}, 0, 0.3, None, (None, 1.0)),
        ({"fitnet": FITNET}, 0.7, None, 0.5, (None, 0.5)),
        ({"mine": {}}, 0.7, None, None, (None, 1.0)),
        ({"simkd": SIMKD}, 0.7, None, None, (None, 0.0)),
        ({"simkd": SIMKD}, 0.7, None, 1, (None, 1.0)),
        ({"kd": KD, "crd": FITNET}, 1, None, 1, (1.0, 1.0)),
        ({"kd": KD, "crd": FITNET}, 0.4, None, None, (0.4, None)),
        ({"kd": KD, "simkd": SIMKD}, 1, None, None, (1.0, None)),
    ],
)
def test_the_weights_of_a_set_of_terms(terms, alpha, start, typed, expected) -> None:  # type: ignore[no-untyped-def]
    assert loss_weights(terms, alpha, start, typed) == Weights(*expected)


@pytest.mark.parametrize(
    ("terms", "alpha", "start"),
    [
        ({"kd": KD, "simkd": SIMKD}, 0.7, None),
        ({"kd": KD, "simkd": SIMKD}, 1, 0.5),
        ({"fitnet": FITNET, "simkd": SIMKD}, 0.7, None),
        ({"simkd": SIMKD, "other": {"label_weight": 0.5}}, 0.7, None),
    ],
)
def test_terms_that_ask_for_different_weights_are_refused_until_one_is_typed(terms, alpha, start) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(UserError, match=r"different weights of the labels \(.*simkd 0.*\); type label_weight=NUMBER"):
        loss_weights(terms, alpha, start, None)
    assert loss_weights(terms, alpha, start, 0.25).labels == 0.25


def test_a_typed_weight_of_labels_beside_terms_without_any_is_refused() -> None:
    with pytest.raises(UserError, match="label_weight=2 with alpha=0: no term has a weight"):
        loss_weights({"kd": KD}, 0, None, 2)


@pytest.mark.parametrize(
    ("weights", "start", "expected"),
    [
        (Weights(1.0, None), None, False),
        (Weights(1.0, None), 0.5, True),
        (Weights(0.5, None), None, True),
        (Weights(0.5, 0.0), None, False),
        (Weights(None, 1.0), None, True),
    ],
)
def test_labels_are_read_where_they_have_a_weight_in_some_epoch(
    weights: Weights, start: float | None, expected: bool
) -> None:
    assert weights.reads_labels(start) is expected
