"""Conformal quantiles of weighted values, and knots, for calibration and its widening."""

from functools import lru_cache
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

Array = NDArray[np.float64]
Knots = Annotated[tuple[float, ...], Field(min_length=1)]

TABLE_LEVELS = (
    *(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5),
    *(0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.925, 0.95, 0.975, 0.99, 0.995, 0.9975, 0.999),
)
"""Levels of conformal quantiles."""


def weighted_quantiles(values: Array, weights: Array) -> Array:
    """Return conformal quantiles at ``TABLE_LEVELS``, shape (len(TABLE_LEVELS),).

    With N equal weights, the k-th smallest value is the quantile at level k / (N + 1): a further value is
    below it with exactly that probability. With unequal weights, N is Kish's effective number (Σw)² / Σw².
    """
    order = np.argsort(values)
    order = order[weights[order] > 0]
    sorted_weights = weights[order]
    total = sorted_weights.sum()
    effective = total**2 / np.square(sorted_weights).sum()
    levels = np.cumsum(sorted_weights) / (total * (1 + 1 / effective))
    return np.interp(TABLE_LEVELS, levels, values[order])


@lru_cache(maxsize=64)
def as_array(knots: tuple[float, ...]) -> Array:
    """Return knots as an array. Cached, since conversion takes longer than interpolation between knots."""
    return np.array(knots, dtype=np.float64)


__all__ = ["TABLE_LEVELS", "Array", "Knots", "as_array", "weighted_quantiles"]
