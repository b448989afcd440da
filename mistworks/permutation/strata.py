"""Random strata: small groups of points of similar condition, within which rows are permuted."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.intp]

# A stratum is cut near its middle, not in it, so that strata differ from one permutation to the next.
_CUT = (0.3, 0.7)


def groups_of_equal(codes: NDArray[np.float64]) -> list[Rows]:
    """Return the rows of equal columns of shape (d, n), a group each; all rows where d is 0."""
    n = codes.shape[1]
    if not len(codes):
        return [np.arange(n)]
    _, group = np.unique(codes, axis=1, return_inverse=True)
    order = np.argsort(group.ravel(), kind="stable")
    return np.split(order, np.flatnonzero(np.diff(group.ravel()[order])) + 1)


def random_strata(
    coordinates: NDArray[np.float64], groups: Sequence[Rows], least: int, rng: np.random.Generator
) -> list[Rows]:
    """Cut groups of rows into strata of similar coordinates, as the leaves of a random k-d tree.

    Points of equal coordinates stay together. So where the coordinates take few values, a stratum holds equal
    points only, and permuting within it is exact.

    Args:
        coordinates: shape (n, d).
        groups: rows that are never mixed with those of another group.
        least: the smallest number of rows of a stratum that is cut off.
        rng: where cuts are made, and along which coordinate.
    """
    strata, uncut = [], list(groups)
    while uncut:
        rows = uncut.pop()
        parts = _cut(coordinates, rows, least, rng) if len(rows) >= 2 * least else None
        if parts is None:
            strata.append(rows)
        else:
            uncut += parts
    return strata


def permuted_within(strata: Sequence[Rows], n: int, rng: np.random.Generator) -> Rows:
    """Return a permutation of n rows that moves each within its stratum only."""
    order = np.arange(n)
    for rows in strata:
        order[rows] = rows[rng.permutation(len(rows))]
    return order


def _cut(
    coordinates: NDArray[np.float64], rows: Rows, least: int, rng: np.random.Generator
) -> list[Rows] | None:
    """Return two parts along a coordinate, the more likely chosen the wider it spreads; None if none may."""
    values = coordinates[rows]
    spread = (values.max(axis=0) - values.min(axis=0)) ** 2 if values.shape[1] else np.zeros(0)
    while spread.sum() > 0:
        along = int(rng.choice(len(spread), p=spread / spread.sum()))
        order = np.argsort(values[:, along], kind="stable")
        ends = np.flatnonzero(np.diff(values[order, along]) > 0) + 1
        ends = ends[(ends >= least) & (ends <= len(rows) - least)]
        if len(ends):
            end = ends[np.abs(ends - rng.uniform(*_CUT) * len(rows)).argmin()]
            return [rows[order[:end]], rows[order[end:]]]
        spread[along] = 0.0
    return None


__all__ = ["Rows", "groups_of_equal", "permuted_within", "random_strata"]
