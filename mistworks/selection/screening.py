"""Cheap scores that say which columns, and which pairs of columns, are worth an estimate.

Smooth tests of independence: products of orthonormal functions of the columns, correlated with such functions
of the target (Ledwina, "Data-driven version of Neyman's smooth test of fit", Journal of the American
Statistical Association 89, 1994). They see little that an estimate would not, and miss what oscillates fast.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mistworks.preparation.prepare import half_ranks
from mistworks.preparation.table import Side

Array = NDArray[np.float64]

ORDER = 4
"""How many functions there are of a column at most: up to two periods of a cosine, or as many classes."""

_ORDERS = (1, 2, ORDER)
_MOST_TARGETS = 8
_SMALLEST = 1e-8


@dataclass(frozen=True, eq=False, slots=True)
class Functions:
    """Orthonormal functions of columns.

    Attributes:
        values: of length 1 and mean 0 over the n points, 0 where a column has fewer; shape (ORDER, d, n).
        present: which there are, shape (ORDER, d).
    """

    values: Array
    present: NDArray[np.bool_]


def functions_of(side: Side) -> Functions:
    """Cosines of the ranks of numbers, indicators of the most frequent classes, made orthonormal."""
    n, d = side.shape
    values = np.zeros((ORDER, d, n))
    present = np.zeros((ORDER, d), dtype=np.bool_)
    scaled = half_ranks(side.values) / (2 * n) if d else np.empty((0, n))
    for column in range(d):
        plain = _indicators(side.values[column]) if side.nominal[column] else _cosines(scaled[column])
        kept = _orthonormal(plain)
        values[: len(kept), column] = kept
        present[: len(kept), column] = True
    return Functions(values, present)


def score_columns(columns: Functions, given: Functions | None, target: Functions) -> Array:
    """How unlikely the dependence of the target on each column is by chance, as a normal deviate, shape (d,).

    Args:
        columns: of d columns.
        given: of columns that may act on the target together with each; None for no such.
        target: of the target.
    """
    goals, points = _goals(target), columns.values.shape[2]
    scores = _best((np.einsum("kdn,tn->kdt", columns.values, goals) ** 2) * points, columns.present)
    for other in range(0 if given is None else given.present.shape[1]):
        assert given is not None
        pairs = Functions(given.values[:, [other]], given.present[:, [other]])
        scores = np.maximum(scores, score_pairs(pairs, columns, target)[0])
    return scores


def score_pairs(first: Functions, second: Functions, target: Functions) -> Array:
    """The same of products of functions of two columns, for every pair, shape (d, e)."""
    goals = _goals(target)
    order, d, n = first.values.shape
    e = second.present.shape[1]
    right = second.values.reshape(order * e, n).T
    # n times: products of functions of length 1 have length about 1/√n.
    squares = np.empty((order, d, order, e, len(goals)))
    for position, goal in enumerate(goals):
        products = (first.values.reshape(order * d, n) * goal) @ right
        squares[..., position] = (products.reshape(order, d, order, e) * n) ** 2
    present = first.present[:, :, None, None] & second.present[None, None]
    best = np.full((d, e), -np.inf)
    for size in _ORDERS:
        freedom = present[:size, :, :size].sum(axis=(0, 2))
        for goal_count in {1, len(goals)}:
            total = squares[:size, :, :size, :, :goal_count].sum(axis=(0, 2, 4))
            best = np.maximum(best, _deviate(total, freedom * goal_count))
    return best


def _best(squares: Array, present: NDArray[np.bool_]) -> Array:
    """The largest deviate over orders, of squares of shape (ORDER, d, t)."""
    best = np.full(present.shape[1], -np.inf)
    for size in _ORDERS:
        freedom = present[:size].sum(axis=0)
        for goal_count in {1, squares.shape[2]}:
            total = squares[:size, :, :goal_count].sum(axis=(0, 2))
            best = np.maximum(best, _deviate(total, freedom * goal_count))
    return best


def _deviate(total: Array, freedom: NDArray[np.intp]) -> Array:
    """A normal deviate of a sum of squares, by Wilson and Hilferty (PNAS 17, 1931); −∞ of none."""
    df = np.maximum(freedom, 1)
    spread = 2 / (9 * df)
    return np.where(freedom > 0, (np.cbrt(total / df) - 1 + spread) / np.sqrt(spread), -np.inf)


def _goals(target: Functions) -> Array:
    """The functions of the target, shape (t, n), the lowest first."""
    return np.asarray(target.values[target.present][:_MOST_TARGETS])


def _cosines(scaled: Array) -> Array:
    return np.cos(np.pi * np.arange(1, ORDER + 1)[:, None] * (scaled + 0.5 / len(scaled)))


def _indicators(codes: Array) -> Array:
    classes, counts = np.unique(codes, return_counts=True)
    frequent = classes[np.argsort(-counts, kind="stable")[: min(ORDER, len(classes) - 1)]]
    return np.asarray(codes == frequent[:, None], dtype=np.float64)


def _orthonormal(rows: Array) -> Array:
    """An orthonormal basis of centred rows of shape (k, n), in their order, without what is dependent."""
    kept: list[Array] = []
    for row in rows:
        left = row - row.mean()
        whole = float(left @ left)
        for other in kept:
            left = left - (left @ other) * other
        rest = float(left @ left)
        if rest > max(_SMALLEST * whole, _SMALLEST):
            kept.append(left / np.sqrt(rest))
    return np.array(kept).reshape(len(kept), rows.shape[1])


__all__ = ["ORDER", "Functions", "functions_of", "score_columns", "score_pairs"]
