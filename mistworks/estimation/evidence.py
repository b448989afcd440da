"""How much an estimate speaks for any dependence at all: what permutation tests compare."""

import numpy as np

from mistworks.estimation.estimate import Estimate

ROUNDING = 1e-5
"""The evidence of equal samples differs by less when they are computed in other batches."""

# Levels in the middle of a hundred equal parts: the mean of the quantiles there is the midpoint rule.
_LEVELS = (np.arange(100) + 0.5) / 100
_SCALE = 0.25


def evidence(estimate: Estimate, n: int) -> float:
    """Return the mean of Q / (Q + 1 / (4n)) over the quantiles Q of an estimate, from 0 to 1.

    With independent X and Y, mutual information of n points is estimated at about χ² / (2n), whose median is
    0.23 / n. Each quantile counts by whether it is larger than that. The mean of the quantiles themselves
    would rank samples by how wide their intervals are: among permuted samples, the largest means are of
    samples unlike the training data, whose upper quantiles reach far up. An infinite quantile counts as 1.

    Args:
        estimate: of a sample.
        n: its number of points.
    """
    quantiles = np.asarray(estimate.mi if estimate.quantiles is None else estimate.quantile(_LEVELS))
    with np.errstate(divide="ignore"):
        return float(np.mean(1.0 / (1.0 + _SCALE / (n * quantiles))))


__all__ = ["ROUNDING", "evidence"]
