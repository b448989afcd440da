"""Find columns that the others of their side determine exactly: copies and linear combinations.

Dropping them does not change mutual information (Cover and Thomas, "Elements of Information Theory", 2nd ed.,
section 2.8: data processing, both ways), and the remaining columns do not depend on the order of columns or
points.
"""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from mistworks.preparation.reading import Side
from mistworks.statistics.untied import Keys, hashed

_SCREENED = 4096
# If others leave less than this share of a column's variance unexplained, its rows are examined.
_UNEXPLAINED = 1e-9
# Maximum residual of a row relative to the terms of the combination, and share of rows that must be this
# exact: if a few rows outweigh all others, rounding spoils the coefficients for the others.
_EXACT = 1e-7
_MOST_ROWS = 0.98
_ROUNDINGS = 16.0
# Any odd number far from a simple fraction of 2⁶⁴ scatters its multiples.
_SCATTER, _SHIFT = np.uint64(0x9E3779B97F4A7C15), np.uint64(29)


@lru_cache(maxsize=64)
def row_weights(n: int) -> NDArray[np.int64]:
    """Return fixed weights of n rows for comparing columns, shape (n,)."""
    weights = np.arange(1, n + 1, dtype=np.uint64) * _SCATTER
    weights ^= weights >> _SHIFT
    return weights.view(np.int64)


def fingerprints(ranks: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return an integer per column, equal for equal and for reversed half ranks, shape (d,)."""
    n = ranks.shape[1]
    weights = row_weights.__wrapped__(n) if n > _SCREENED else row_weights(n)
    sums = ranks @ weights
    return np.asarray(np.minimum(sums, (weights * (2 * n - 2)).sum() - sums))


def distinct_columns(side: Side, ranks: NDArray[np.int32], keys: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return a mask of columns, shape (d,), that keeps one of those with equal or reversed ranks. Among
    copies, one with integer values is kept. Class labels are a copy of any column that groups the rows in the
    same way.

    Args:
        side: d columns.
        ranks: their half ranks, shape (d, n).
        keys: their `fingerprints`.
    """
    kept = np.ones(len(keys), dtype=np.bool_)
    if len(keys) > 1 and len(set(keys.tolist())) < len(keys):
        by_key: dict[int, list[int]] = {}
        for column in sorted(range(len(keys)), key=lambda column: not _is_whole(side.values[column])):
            others = by_key.setdefault(int(keys[column]), [])
            if any(_are_copies(ranks[column], ranks[other]) for other in others):
                kept[column] = False
            else:
                others.append(column)
    if len(keys) > 1 and side.nominal.any():
        _drop_partitions(side.nominal, ranks, kept)
    return kept


def _is_whole(column: NDArray[np.float64]) -> bool:
    return bool((column == np.rint(column)).all())


def _are_copies(ranks: NDArray[np.int32], others: NDArray[np.int32]) -> bool:
    return bool((ranks == others).all() or (ranks == 2 * len(ranks) - 2 - others).all())


def _drop_partitions(nominal: NDArray[np.bool_], ranks: NDArray[np.int32], kept: NDArray[np.bool_]) -> None:
    seen: set[bytes] = set()
    for column in [*np.flatnonzero(kept & ~nominal), *np.flatnonzero(kept & nominal)]:
        partition = _partition(ranks[column]).tobytes()
        if nominal[column] and partition in seen:
            kept[column] = False
        seen.add(partition)


def _partition(row: NDArray[np.int32]) -> NDArray[np.intp]:
    """Number the classes of a column in the order in which they first occur."""
    _, first, inverse = np.unique(row, return_index=True, return_inverse=True)
    numbers = np.empty(len(first), dtype=np.intp)
    numbers[np.argsort(first)] = np.arange(len(first))
    return numbers[inverse]


def independent_columns(side: Side, ranks: NDArray[np.int32]) -> NDArray[np.bool_]:
    """Return a mask of columns, shape (d,), without exact linear combinations of others. Applies only if
    points outnumber columns: otherwise any column is a combination of others.
    """
    kept = np.ones(len(ranks), dtype=np.bool_)
    numbers = np.flatnonzero(~side.nominal)
    values = side.values if len(numbers) == len(ranks) else side.values[numbers]
    if len(numbers) < 2 or not outnumbered(values) or not may_depend(values):
        return kept
    order = _canonical_order(standardised(values), ranks[numbers])
    for column, _ in dependent_columns(values[order], side.rounding):
        kept[numbers[order[column]]] = False
    return kept


def outnumbered(values: NDArray[np.float64]) -> bool:
    """Whether columns, shape (d, n), have so many points that they are not dependent by chance."""
    d, n = values.shape
    return bool(n > 1.25 * d + 5)


def may_depend(values: NDArray[np.float64]) -> bool:
    """Whether columns, shape (d, n), may be linearly dependent, judged by a subset of the points."""
    d, n = values.shape
    few = 4 * d + 64
    if n > few and not _is_singular(values[:, :: n // few]):
        return False
    return _is_singular(values[:, :: max(1, n // _SCREENED)])


def _is_singular(values: NDArray[np.float64]) -> bool:
    part = standardised(values)
    try:
        factor = np.linalg.cholesky(part @ part.T)
    except np.linalg.LinAlgError:
        return True
    return bool(factor.diagonal().min() ** 2 < 10 * _UNEXPLAINED)


def standardised(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Centre columns, shape (d, n), and scale them to length 1."""
    if max(values.max(), -values.min()) > 1e100:
        values = values / np.maximum(np.abs(values).max(axis=1, keepdims=True), 1.0)
    centred = values - values.mean(axis=1, keepdims=True)
    length = np.sqrt(np.einsum("dn,dn->d", centred, centred))
    # Squares of tiny numbers underflow.
    if length.min() < 1e-100:
        centred /= np.maximum(np.abs(centred).max(axis=1, keepdims=True), 1e-300)
        length = np.sqrt(np.einsum("dn,dn->d", centred, centred))
    return np.asarray(centred / np.where(length > 0, length, 1.0)[:, None])


def _canonical_order(columns: NDArray[np.float64], ranks: NDArray[np.int32]) -> NDArray[np.intp]:
    """Order columns by ascending correlation, and equal ones by a hash of their ranks."""
    centred = np.abs(ranks.astype(np.int64) - (ranks.shape[1] - 1)).astype(np.uint64)
    cells = hashed(centred)
    rows: Keys = hashed(cells.sum(axis=0, dtype=np.uint64))
    signatures = hashed(rows + cells).sum(axis=1, dtype=np.uint64)
    total = np.round(((columns @ columns.T) ** 2).sum(axis=1), 6)
    return np.lexsort((signatures, total))


def dependent_columns(
    values: NDArray[np.float64], rounding: float, exactness: float = _EXACT
) -> list[tuple[int, NDArray[np.float64]]]:
    """Yield columns that are exact linear combinations of those before them.

    Args:
        values: shape (d, n).
        rounding: relative rounding error of the values.
        exactness: maximum residual of a row, relative to its terms, beyond rounding.

    Returns:
        The position of each such column and its coefficients, shape (d,): of `values`, up to a constant.
    """
    columns = standardised(values)
    basis = np.empty_like(columns)
    kept: list[int] = []
    dependent = []
    for position, column in enumerate(columns):
        residual = column
        for _ in range(2):
            residual = residual - basis[: len(kept)].T @ (basis[: len(kept)] @ residual)
        length = float(np.sqrt(residual @ residual))
        if length**2 < _UNEXPLAINED and kept:
            coefficients = _combination(values, kept, position, rounding, exactness)
            if coefficients is not None:
                dependent.append((position, coefficients))
                continue
        basis[len(kept)] = residual / max(length, 1e-300)
        kept.append(position)
    return dependent


def _combination(
    values: NDArray[np.float64], kept: list[int], position: int, rounding: float, exactness: float
) -> NDArray[np.float64] | None:
    """Return coefficients of a column on those kept, shape (d,), if they give nearly all its rows exactly."""
    used = np.array([*kept, position])
    scale = np.maximum(np.abs(values[used]).max(axis=1), 1e-300)
    scaled = values[used] / scale[:, None]
    means = scaled.mean(axis=1, keepdims=True)
    centred = scaled - means
    spread = np.maximum(np.abs(centred).max(axis=1, keepdims=True), 1e-300)
    solution = np.linalg.lstsq((centred[:-1] / spread[:-1]).T, centred[-1], rcond=None)[0]
    weights = np.append(-solution / spread[:-1, 0], 1.0)
    residual = np.abs(weights @ centred)
    terms = np.abs(weights) @ np.abs(centred)
    error = rounding * (np.abs(weights) @ (np.abs(scaled) + np.abs(means)))
    if np.mean(residual <= exactness * terms + _ROUNDINGS * error) < _MOST_ROWS:
        return None
    coefficients = np.zeros(len(values))
    with np.errstate(over="ignore"):
        coefficients[kept] = -weights[:-1] * (scale[-1] / scale[:-1])
    return coefficients


__all__ = [
    "dependent_columns",
    "distinct_columns",
    "fingerprints",
    "independent_columns",
    "may_depend",
    "outnumbered",
    "standardised",
]
