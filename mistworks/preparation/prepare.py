"""Prepare a sample for the statistics: the ranks of the columns that carry information.

Mutual information does not change when a column is left out that the others of its side determine (Cover and
Thomas, "Elements of Information Theory", 2nd ed., section 2.8: data processing, both ways). So constant
columns, copies of columns and exact linear combinations are dropped first. Copies of points are dropped
unless they are natural ties, and class labels are numbered in an order that follows from the sample alone.
"""

import os
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from mistworks import native
from mistworks.dataset import FloatArray
from mistworks.preparation.determinism import is_function
from mistworks.preparation.labelling import canonical_codes
from mistworks.preparation.reading import MIN_POINTS, Side, read_pair
from mistworks.preparation.redundancy import distinct_columns, fingerprints, independent_columns
from mistworks.preparation.repetition import tie_free, unrepeated_rows
from mistworks.statistics.ranked import Ranked
from mistworks.statistics.ranked import half_ranks as half_ranks_by_numpy

LOWER_BOUND = (
    "one side of the sample is a function of the other to rounding, so the mutual information is infinite or "
    "beyond what the sample can tell, and the estimate is a lower bound"
)
"""The warning if `Prepared.infinite`, without a full stop."""

# From this share of repeated rows on, copies bias estimates.
_MANY_REPEATED = 0.05


@dataclass(frozen=True, eq=False)
class Prepared:
    """A sample reduced to the rows and columns that carry information.

    Attributes:
        x: the remaining columns and rows of X.
        y: the same for Y.
        ranked: their ranks; a side without varying columns has one constant column here.
        rows: positions of the remaining rows, if copies of points were dropped; else None.
        constant: whether all columns of X or all of Y are constant, so that mutual information is 0.
        notes: warnings about the sample, each without a full stop.
    """

    x: Side
    y: Side
    ranked: Ranked
    rows: NDArray[np.intp] | None
    constant: bool
    notes: tuple[str, ...]

    @property
    def n(self) -> int:
        """Number of remaining points."""
        return self.ranked.n

    @property
    def dx(self) -> int:
        """Number of remaining columns of X; 0 if all are constant."""
        return self.x.shape[1]

    @property
    def dy(self) -> int:
        """Number of remaining columns of Y; 0 if all are constant."""
        return self.y.shape[1]

    @cached_property
    def infinite(self) -> bool:
        """Whether one side is a function of the other up to rounding, so that the estimate is a lower bound.

        Takes about as long as the rest of the preparation.
        """
        return not self.constant and is_function(self.x, self.y, self.ranked.ranks)

    @cached_property
    def classes(self) -> bool:
        """Whether all columns of both sides are class labels, or take two values."""
        return not self.constant and all(
            bool(nominal) or _is_binary(ranks)
            for nominal, ranks in zip(
                np.concatenate([self.x.nominal, self.y.nominal]), self.ranked.ranks, strict=True
            )
        )

    def raw(self) -> tuple[FloatArray, FloatArray]:
        """Return the remaining columns, of shapes (n, dx) and (n, dy), shifted and scaled into [−1, 1]. Shift
        and scale are in double precision, so that columns far from 0 keep their digits in single precision.
        """
        return fitted(self.x), fitted(self.y)


def prepare(x: object, y: object) -> Prepared:
    """Read a sample, and drop rows and columns that carry no information.

    Args:
        x: shape (n, dx) or (n,): see `mistworks.preparation.reading.read_side`.
        y: shape (n, dy) or (n,).

    Raises:
        MistworksError: x and y are not a sample.
    """
    sides = read_pair(x, y)
    points = len(sides[0])
    sides, ranks, free = _reduced(*sides)
    rows = unrepeated_rows(sides, ranks, free) if ranks.size else None
    notes: tuple[str, ...] = ()
    if rows is not None and len(rows) >= MIN_POINTS:
        notes = tuple(_notes_of_repeated(points - len(rows), points))
        sides, ranks, _ = _reduced(*(side.rows(rows) for side in sides))
    else:
        rows = None
    sides, ranks = _without_combinations(sides, ranks)
    return _labelled(sides, ranks, points if rows is None else len(rows), rows, notes)


def rank_pair(x: FloatArray, y: FloatArray) -> Ranked:
    """Rank a sample of numbers without columns that carry no information, for training. Nothing is checked,
    and repeated rows are kept.

    Args:
        x: finite numbers of shape (n, dx).
        y: shape (n, dy).
    """
    sides, ranks, _ = _reduced(*map(_trusted, (x, y)))
    sides, ranks = _without_combinations(sides, ranks)
    return _labelled(sides, ranks, len(x), None, ()).ranked


def half_ranks(columns: NDArray[np.float64]) -> NDArray[np.int32]:
    """Return half ranks of each row, shape (d, n), with ties averaged, by compiled code if built."""
    compiled = native.loaded(os.environ.get("MISTWORKS_NATIVE", "")) is not None
    return native.half_ranks(columns) if compiled and columns.size else half_ranks_by_numpy(columns)


def fitted(side: Side) -> FloatArray:
    """Centre columns by their median, and scale by the largest deviation, shape (n, d); 0 if constant."""
    scaled = side.values / _largest(side.values)
    centred = scaled - np.median(scaled, axis=1, keepdims=True)
    return np.ascontiguousarray((centred / _largest(centred)).T, dtype=np.float32)


def _largest(columns: NDArray[np.float64]) -> NDArray[np.float64]:
    largest = np.abs(columns).max(axis=1, keepdims=True, initial=0.0)
    return np.where(largest > 0, largest, 1.0)


def _is_binary(ranks: NDArray[np.int32]) -> bool:
    # Most columns of numbers show more than two values at once.
    if len(set(ranks[:8].tolist())) > 2:
        return False
    return bool(((ranks == ranks.min()) | (ranks == ranks.max())).all())


def _trusted(values: FloatArray) -> Side:
    d = values.shape[1]
    rounding = float(np.finfo(values.dtype).eps)
    return Side(
        np.array(values.T, dtype=np.float64, order="C"), np.zeros(d, np.bool_), tuple(range(d)), rounding
    )


def _reduced(x: Side, y: Side) -> tuple[tuple[Side, Side], NDArray[np.int32], NDArray[np.bool_]]:
    """Drop constant and copied columns. Return both sides, half ranks, and a mask of tie-free columns."""
    ranks = half_ranks(np.concatenate([x.values, y.values]))
    dx = x.shape[1]
    varies = (ranks != ranks[:, :1]).any(axis=1)
    # In int64, where sums of products of ranks are exact modulo 2⁶⁴.
    exact = ranks.astype(np.int64)
    keys = fingerprints(exact)
    kept = varies.copy()
    for side, part in ((x, slice(None, dx)), (y, slice(dx, None))):
        if side.shape[1] > 1:
            kept[part] &= _distinct(side, ranks[part], keys[part], varies[part])
    if kept.all():
        return (x, y), ranks, tie_free(exact)
    return (x.columns(kept[:dx]), y.columns(kept[dx:])), ranks[kept], tie_free(exact[kept])


def _distinct(
    side: Side, ranks: NDArray[np.int32], keys: NDArray[np.int64], varies: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    if varies.all():
        return distinct_columns(side, ranks, keys)
    kept = varies.copy()
    kept[varies] = distinct_columns(side.columns(varies), ranks[varies], keys[varies])
    return kept


def _without_combinations(
    sides: tuple[Side, Side], ranks: NDArray[np.int32]
) -> tuple[tuple[Side, Side], NDArray[np.int32]]:
    x, y = sides
    dx = x.shape[1]
    kept = np.concatenate([independent_columns(x, ranks[:dx]), independent_columns(y, ranks[dx:])])
    if kept.all():
        return sides, ranks
    return (x.columns(kept[:dx]), y.columns(kept[dx:])), ranks[kept]


def _labelled(
    sides: tuple[Side, Side],
    ranks: NDArray[np.int32],
    n: int,
    rows: NDArray[np.intp] | None,
    notes: tuple[str, ...],
) -> Prepared:
    x, y = sides
    dx, dy = x.shape[1], y.shape[1]
    constant = not (dx and dy)
    if not constant and (x.nominal.any() or y.nominal.any()):
        ranks = _with_canonical_labels(ranks, dx, np.concatenate([x.nominal, y.nominal]))
    if constant:
        still = np.full((1, n), n - 1, dtype=np.int32)
        ranks = np.concatenate([ranks[:dx] if dx else still, ranks[dx:] if dy else still])
    return Prepared(x, y, Ranked(np.ascontiguousarray(ranks), max(dx, 1)), rows, constant, notes)


def _with_canonical_labels(
    ranks: NDArray[np.int32], dx: int, nominal: NDArray[np.bool_]
) -> NDArray[np.int32]:
    # Two classes have an order up to a reflection.
    several = nominal & (
        (ranks > ranks.min(axis=1, keepdims=True)) & (ranks < ranks.max(axis=1, keepdims=True))
    ).any(axis=1)
    if not several.any():
        return ranks
    labelled = ranks.copy()
    labelled[several] = half_ranks(canonical_codes(ranks, dx, several).astype(np.float64))
    return labelled


def _notes_of_repeated(repeated: int, points: int) -> list[str]:
    if repeated < _MANY_REPEATED * points:
        return []
    return [
        f"{repeated:,} of {points:,} points are exact copies of others although the columns are continuous, "
        "as in a bootstrap resample, and each point was counted once"
    ]


__all__ = ["LOWER_BOUND", "Prepared", "fitted", "prepare", "rank_pair"]
