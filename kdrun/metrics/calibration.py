"""Bins of confidence, for reliability diagrams and the calibration error."""

from __future__ import annotations

from bisect import bisect_left

ECE_BINS = 15  # Guo et al. 2017, section 4; part of the metric's definition, not a choice of an experiment
EDGES = tuple(number / ECE_BINS for number in range(1, ECE_BINS))


def bin_of(confidence: float) -> int:
    """The number of the bin (b/15, (b+1)/15] that holds a top probability; right edges belong to their bin.

    confidence: in [0, 1].
    Returns b in 0..14. Source: Guo et al. 2017, arXiv:1706.04599, equation 2.
    """
    return bisect_left(EDGES, confidence)
