"""Bins of confidence, for reliability diagrams and the calibration error."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

ECE_BINS = 15  # Guo et al. 2017, section 4; part of the metric's definition, not a choice of an experiment
EDGES = tuple(number / ECE_BINS for number in range(1, ECE_BINS))


def bins_of(confidence: NDArray[np.float64]) -> NDArray[np.int64]:
    """The number b in 0..14 of the bin (b/15, (b+1)/15] that holds each top probability.

    confidence: (N,), in [0, 1].
    Returns (N,). Source: Guo et al. 2017, arXiv:1706.04599, equation 2.
    """
    import numpy as np

    return np.searchsorted(EDGES, confidence, side="left")  # right edges belong to their bin, as in the paper
