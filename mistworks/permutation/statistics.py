"""Statistics of permutation tests: estimates, plain correlations, and whichever of the two is larger."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mistworks.estimation.estimate import Estimate
from mistworks.estimation.evidence import ROUNDING
from mistworks.permutation.strata import Rows


def means(estimates: Sequence[Estimate]) -> NDArray[np.float64]:
    """The mean of the estimated distribution of each, in nats; the point estimate where it has no quantiles.

    The median is often exactly 0 for weak dependence and would tie.
    """
    return np.array([each.mean for each in estimates])


def squared_correlations(x: NDArray[np.float64], y: NDArray[np.float64], groups: Sequence[Rows]) -> float:
    """Σ ρ² / 2 over all pairs of columns, averaged over groups of rows.

    It is the mutual information of weakly dependent Gaussians, in nats.

    Args:
        x: shape (p, n).
        y: shape (q, n).
        groups: rows whose correlations are computed by themselves.
    """
    total = 0.0
    for rows in groups:
        correlations = _standardised(x[:, rows]) @ _standardised(y[:, rows]).T
        total += len(rows) / y.shape[1] * float((correlations**2).sum()) / 2
    return total


def larger(first: NDArray[np.float64], second: NDArray[np.float64]) -> NDArray[np.float64]:
    """The larger of two statistics in units of their deviations over the sample and its permutations.

    All B + 1 values enter alike, so that they are as exchangeable as the samples are. A statistic whose
    values differ by no more than rounding says nothing.

    Args:
        first: shape (..., B + 1).
        second: likewise.
    """
    return np.maximum(_in_deviations(first), _in_deviations(second))


def p_value(statistics: NDArray[np.float64]) -> float:
    """(1 + #{permuted ≥ observed}) / (B + 1); ties, also ties but for rounding, count for independence.

    Phipson and Smyth, "Permutation p-values should never be zero", Stat. Appl. Genet. Mol. Biol. 9, 2010.

    Args:
        statistics: the observed one, then the permuted ones, shape (B + 1,).
    """
    at_least = int((statistics[1:] >= statistics[0] - ROUNDING).sum())
    return (1 + at_least) / len(statistics)


def _in_deviations(statistics: NDArray[np.float64]) -> NDArray[np.float64]:
    centred = statistics - statistics.mean(axis=-1, keepdims=True)
    deviation = centred.std(axis=-1, keepdims=True)
    return np.asarray(np.where(deviation > ROUNDING, centred / np.maximum(deviation, ROUNDING), 0.0))


def _standardised(columns: NDArray[np.float64]) -> NDArray[np.float64]:
    centred = columns - columns.mean(axis=1, keepdims=True)
    length = np.sqrt((centred**2).sum(axis=1, keepdims=True))
    return np.asarray(np.where(length > ROUNDING, centred / np.maximum(length, ROUNDING), 0.0))


__all__ = ["larger", "means", "p_value", "squared_correlations"]
