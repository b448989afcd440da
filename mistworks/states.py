"""States of discrete data: their numbers, and the entropy of their frequencies."""

import numpy as np
from numpy.typing import NDArray


def states(points: NDArray[np.generic]) -> NDArray[np.int64]:
    """Number the distinct rows of a table of shape (n, d), and return the number of each row, shape (n,)."""
    numbers = np.zeros(len(points), dtype=np.int64)
    for column in points.T:
        values = np.unique(column, return_inverse=True)[1]
        # Renumbered after each column, so that the numbers stay below n.
        numbers = np.unique(numbers * (values.max() + 1) + values, return_inverse=True)[1]
    return numbers


def entropy(masses: NDArray[np.int64] | NDArray[np.float64]) -> float:
    """−Σ p log p in nats, where p are the masses divided by their sum, and 0 log 0 = 0.

    Of the counts of observed states it is the plug-in estimate, which is too low on average.
    """
    shares = masses[masses > 0] / masses.sum()
    return float(-(shares * np.log(shares)).sum())


__all__ = ["entropy", "states"]
