"""Normal scores: columns without their margins."""

import numpy as np
from numpy.typing import NDArray

from mistworks.normal import inverse_cdf
from mistworks.preparation.prepare import half_ranks


def normal_scores(columns: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return Φ⁻¹(rank / (n + 1)) in each row of columns of shape (d, n); ties share their mean rank."""
    if not columns.size:
        return np.empty(columns.shape)
    return scores_of_ranks(half_ranks(np.ascontiguousarray(columns, dtype=np.float64)))


def scores_of_ranks(half_ranks: NDArray[np.int32]) -> NDArray[np.float64]:
    """Return the normal scores of half ranks 2 (rank − 1), shape (d, n)."""
    n = half_ranks.shape[1]
    # Each of the 2n − 1 values that a half rank can take is looked up.
    table = inverse_cdf((np.arange(2 * n - 1) / 2.0 + 1.0) / (n + 1))
    return np.asarray(table[half_ranks])


__all__ = ["normal_scores", "scores_of_ranks"]
