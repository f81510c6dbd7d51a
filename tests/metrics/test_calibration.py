from __future__ import annotations

import numpy as np

from kdrun.metrics.calibration import ECE_BINS, EDGES, bins_of


def test_right_edges_belong_to_their_bin() -> None:
    assert bins_of(np.array(EDGES)).tolist() == list(range(ECE_BINS - 1))
    assert bins_of(np.nextafter(np.array(EDGES), 1)).tolist() == list(range(1, ECE_BINS))


def test_the_ends_have_bins() -> None:
    assert bins_of(np.array([0.0, 1e-9, 1.0])).tolist() == [0, 0, ECE_BINS - 1]
