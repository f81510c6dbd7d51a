"""Which classes a network confuses with each other."""

from __future__ import annotations

import torch
from torch import Tensor

from kdrun.errors import UserError

STARTS = 50  # of k-means, of which the best is taken
DECIMALS = 4  # of a correlation: what a machine's rounding may change should not decide who belongs together


def confusable_sets(probs: Tensor, count: int) -> Tensor:
    """Sets of classes that are often predicted together: k-means on the columns of the predictions' correlations.

        C_ij = cov(p_i, p_j) / (std(p_i) * std(p_j))

    probs: (N, K) a network's probabilities, N >= 2. count: of sets, 2 <= count <= K.
    Returns (count, K) bool: each class is in exactly one set; the sets in the order of their first classes.
    Raises UserError where the predictions do not fall into so many sets.

    Source: Hinton, Vinyals, Dean 2015, arXiv:1503.02531, section 5.1 (on the covariance itself). Deviation: each class
    is scaled to variance 1. Its own variance is by far the largest number in its column, so that k-means would
    put the classes that vary most alone, and all that are confused into one set.
    """
    import numpy as np
    from sklearn.cluster import KMeans

    correlations = torch.corrcoef(probs.double().T).nan_to_num(0.0)  # a class that is never predicted has none
    columns = (correlations.T.cpu() * 10**DECIMALS).round().numpy()
    distinct = len(np.unique(columns, axis=0))
    if distinct < count:
        raise UserError(
            f"the generalist's predictions tell {distinct} kinds of classes apart, got teacher.specialists={count}; "
            "train it longer or ask for fewer"
        )
    found = KMeans(count, n_init=STARTS, random_state=0).fit(columns).labels_.tolist()
    names = list(dict.fromkeys(found))
    return torch.tensor([[of == name for of in found] for name in names])
