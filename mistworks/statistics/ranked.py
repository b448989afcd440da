"""The ranks of a sample's columns, the only input of the statistics, in NumPy."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mistworks.errors import MistworksError

MAX_POINTS = 2**23
"""Maximum number of points: half ranks are int32, and sums over points must not overflow int64."""


@dataclass(frozen=True, eq=False)
class Ranked:
    """The ranks of the columns of a sample.

    Attributes:
        ranks: half ranks 2 (rank − 1) with ties averaged, from 0 to 2n − 2, int32, shape (dx + dy, n),
            C-contiguous, X first. No column is constant, unless all of its side are.
        dx: number of columns of X.

    Raises:
        MistworksError: the ranks are not such an array.
    """

    ranks: NDArray[np.int32]
    dx: int

    def __post_init__(self) -> None:
        ranks = self.ranks
        if ranks.dtype != np.int32 or ranks.ndim != 2 or not ranks.flags.c_contiguous:
            raise MistworksError(
                "Expected C-contiguous int32 ranks of shape (columns, points), got "
                f"{ranks.dtype} of shape {ranks.shape}. Use Ranked.of."
            )
        if not 0 < self.dx < len(ranks):
            raise MistworksError(f"Expected 1 to {len(ranks) - 1} columns of X, got {self.dx}.")

    @classmethod
    def of(cls, x: ArrayLike, y: ArrayLike) -> "Ranked":
        """Rank the columns of x, shape (n, dx), and of y, shape (n, dy), of any ordered type.

        Constant columns are left out, except one if all of a side are constant.
        """
        sides = [varying(half_ranks(columns(values))) for values in (x, y)]
        return cls(np.ascontiguousarray(np.concatenate(sides)), len(sides[0]))

    @property
    def n(self) -> int:
        """Number of points."""
        return int(self.ranks.shape[1])

    @property
    def dy(self) -> int:
        """Number of columns of Y."""
        return len(self.ranks) - self.dx


def columns(values: Any) -> NDArray[Any]:
    """Convert values or a tensor of shape (n, d) to an array of shape (d, n), without gradients."""
    array = values
    if hasattr(values, "detach"):
        array = values.detach().cpu()
        # NumPy knows no bfloat16.
        array = (array.float() if "bfloat16" in str(array.dtype) else array).numpy()
    return np.ascontiguousarray(np.asarray(array).T)


def half_ranks(columns: NDArray[Any]) -> NDArray[np.int32]:
    """Return half ranks 2 (rank − 1) of each row with ties averaged, int32, shape (d, n)."""
    d, n = columns.shape
    if n > MAX_POINTS:
        raise MistworksError(f"Expected at most {MAX_POINTS:,} points, got {n:,}. Pass a random part.")
    if _are_ranks(columns):
        return (2 * columns).astype(np.int32)
    order = np.argsort(columns, axis=1)
    ordered = np.take_along_axis(columns, order, axis=1)
    first = np.ones((d, n), dtype=np.bool_)
    np.not_equal(ordered[:, 1:], ordered[:, :-1], out=first[:, 1:])
    positions = np.arange(n, dtype=np.int32)
    if first.all():
        averaged = np.broadcast_to(2 * positions, (d, n))
    else:
        start = np.maximum.accumulate(np.where(first, positions, 0), axis=1)
        last = np.concatenate([first[:, 1:], np.ones((d, 1), dtype=np.bool_)], axis=1)
        stop = np.where(last, positions, n)[:, ::-1]
        averaged = start + np.minimum.accumulate(stop, axis=1)[:, ::-1]
    ranks = np.empty((d, n), dtype=np.int32)
    np.put_along_axis(ranks, order, averaged.astype(np.int32), axis=1)
    return ranks


def varying(ranks: NDArray[np.int32]) -> NDArray[np.int32]:
    """Return the rows that are not constant, or the first row if all are."""
    kept = (ranks != ranks[:, :1]).any(axis=1)
    return ranks[kept] if kept.any() else ranks[:1]


def _are_ranks(columns: NDArray[Any]) -> bool:
    """Whether every row holds 0, …, n − 1 once each: ranks without ties need no sorting."""
    n = columns.shape[1]
    if columns.dtype.kind not in "iuf" or columns.min() != 0 or columns.max() != n - 1:
        return False
    whole = columns.astype(np.intp)
    seen = np.zeros(columns.shape, dtype=np.bool_)
    np.put_along_axis(seen, whole, True, axis=1)
    return bool(seen.all() and (whole == columns).all())


__all__ = ["MAX_POINTS", "Ranked", "columns", "half_ranks", "varying"]
