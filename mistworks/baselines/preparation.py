"""What every baseline does first: check the points, then standardise them or take their ranks."""

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import pdist
from scipy.special import ndtri
from scipy.stats import rankdata

from mistworks.dataset import FloatArray
from mistworks.errors import MistworksError
from mistworks.randomness import stream

Points = NDArray[np.float64]

# Means over distinct points of products of two distances take four.
_LEAST_POINTS = 4


def checked(x: FloatArray, y: FloatArray) -> tuple[Points, Points]:
    """Check both sides and return them in double precision: x of shape (n, dx), y of shape (n, dy).

    Raises:
        MistworksError: they are not two tables of n rows, a number is not finite, or a column is constant.
    """
    if x.ndim != 2 or y.ndim != 2 or len(x) != len(y):
        raise MistworksError(
            f"Expected x of shape (n, dx) and y of shape (n, dy), got {x.shape} and {y.shape}. "
            "Pass one row per point."
        )
    return _checked(x, "x"), _checked(y, "y")


def _checked(values: FloatArray, block: str) -> Points:
    points = np.asarray(values, dtype=np.float64)
    if points.size == 0:
        raise MistworksError(
            f"Expected at least one row and one column of {block}, got shape {points.shape}."
        )
    if not np.isfinite(points).all():
        raise MistworksError(f"Expected finite numbers in {block}, got NaN or infinity. Drop such rows.")
    constant = np.flatnonzero(np.ptp(points, axis=0) == 0)
    if len(constant):
        raise MistworksError(
            f"Expected columns that vary, but column {constant[0]} of {block} is constant. Drop it: it "
            "carries no information."
        )
    return points


def require_more_points_than_dimensions(n: int, dx: int, dy: int) -> None:
    """Raise an error for a sample whose joint covariance is singular.

    Raises:
        MistworksError: n ≤ dx + dy.
    """
    if n <= dx + dy:
        raise MistworksError(
            f"Expected more points than dimensions, n > dx + dy, got n = {n} with {dx} + {dy}. Use an "
            "estimator with shrinkage."
        )


def standardised(points: Points) -> Points:
    """Scale every column to mean 0 and variance 1, shape (n, d)."""
    centred = points / np.abs(points).max(axis=0)
    centred -= centred.mean(axis=0)
    return np.asarray(centred / centred.std(axis=0))


def some_rows(n: int, most: int, seed: int) -> NDArray[np.int64]:
    """Positions of n points, or of as many as ``most`` of them at random, in increasing order."""
    if n <= most:
        return np.arange(n)
    return np.sort(stream(seed, "baseline", "rows", n).permutation(n)[:most])


def distances(x: FloatArray, y: FloatArray, most: int, seed: int) -> tuple[Points, Points]:
    """Distances between the standardised points of each side, each pair once: shape (n (n − 1) / 2,).

    Args:
        x: shape (n, dx).
        y: shape (n, dy).
        most: of more points, so many are chosen at random.
        seed: of the choice.

    Raises:
        MistworksError: there are fewer than 4 points, or a column is constant.
    """
    sides = checked(x, y)
    if len(x) < _LEAST_POINTS:
        raise MistworksError(f"Expected at least {_LEAST_POINTS} points, got {len(x)}. Pass more.")
    rows = some_rows(len(x), most, seed)
    first, second = (pdist(standardised(side)[rows]) for side in sides)
    return first, second


def uniform_scores(points: Points) -> Points:
    """Ranks / (n + 1) column by column, shape (n, d), between 0 and 1; ties share their mean rank."""
    return np.asarray(rankdata(points, axis=0) / (len(points) + 1))


def normal_scores(points: Points) -> Points:
    """Φ⁻¹(rank / (n + 1)) column by column, shape (n, d)."""
    return np.asarray(ndtri(uniform_scores(points)))


__all__ = [
    "Points",
    "checked",
    "distances",
    "normal_scores",
    "require_more_points_than_dimensions",
    "some_rows",
    "standardised",
    "uniform_scores",
]
