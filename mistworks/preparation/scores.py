"""Normal scores: columns without their margins."""

from functools import lru_cache

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
    return np.asarray(_table(half_ranks.shape[1])[half_ranks])


@lru_cache(maxsize=4)
def _table(n: int) -> NDArray[np.float64]:
    """The scores of each of the 2n − 1 values that a half rank of n points can take."""
    table = inverse_cdf((np.arange(2 * n - 1) / 2.0 + 1.0) / (n + 1))
    table.flags.writeable = False
    return table


__all__ = ["normal_scores", "scores_of_ranks"]
