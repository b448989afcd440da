"""A triple without what carries no information: constant columns, copies, and what Z determines of X and Y.

I(X;Y|Z) does not change when a column of X goes that Z, or Z with the rest of X, determines; nor when a
column of Z goes that the rest of Z determines (Cover and Thomas, "Elements of Information Theory", 2nd ed.,
section 2.5: the chain rule).
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mistworks.conditional.closed_forms import joint_states, states_of
from mistworks.preparation.labelling import canonical_codes
from mistworks.preparation.prepare import half_ranks
from mistworks.preparation.reading import Side
from mistworks.preparation.redundancy import (
    dependent_columns,
    distinct_columns,
    fingerprints,
    independent_columns,
    may_depend,
    outnumbered,
)
from mistworks.statistics.untied import hashed

Ranks = NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class Ranked:
    """Columns and their half ranks 2 (rank − 1), ties averaged, shape (d, n)."""

    side: Side
    ranks: Ranks

    def columns(self, kept: NDArray[np.bool_]) -> "Ranked":
        """The columns where the mask is true."""
        return self if kept.all() else Ranked(self.side.columns(kept), self.ranks[kept])

    @property
    def d(self) -> int:
        """Number of columns."""
        return len(self.ranks)


@dataclass(frozen=True, eq=False)
class Reduced:
    """A triple without what carries no information; a side may have no column left."""

    x: Ranked
    y: Ranked
    z: Ranked

    @property
    def n(self) -> int:
        """Number of points."""
        return len(self.x.side)

    @property
    def sizes(self) -> tuple[int, int, int]:
        """Numbers of columns of X, of Y and of Z."""
        return self.x.d, self.y.d, self.z.d

    def some_rows(self, count: int) -> NDArray[np.intp]:
        """Positions of a part of the points, in their order: ``count`` chosen by a hash of their ranks.

        The part does not depend on the order of points and columns, nor on names of classes, and a reversed
        column has the same. Copies of a point are distinguished by their number, so that the shares of states
        are kept.
        """
        n = self.n
        if n <= count:
            return np.arange(n)
        keys = np.zeros(n, dtype=np.uint64)
        states = np.zeros(n, dtype=np.int64)
        for part in (self.x, self.y, self.z):
            states = joint_states(states, states_of(part.ranks))
            columns = [np.abs(row.astype(np.int64) - (n - 1)) for row in part.ranks[~part.side.nominal]]
            columns += [_frequencies(row) for row in part.ranks[part.side.nominal]]
            if columns:
                keys += hashed(hashed(np.array(columns).astype(np.uint64)).sum(axis=0, dtype=np.uint64))
        copies = hashed(_occurrences(states).astype(np.uint64))
        return np.sort(np.argsort(hashed(keys + copies), kind="stable")[:count])


def _frequencies(row: NDArray[np.int32]) -> NDArray[np.int64]:
    """How often the value of each point occurs, shape (n,)."""
    _, codes, counts = np.unique(row, return_inverse=True, return_counts=True)
    return np.asarray(counts[codes].astype(np.int64))


def _occurrences(states: NDArray[np.int64]) -> NDArray[np.int64]:
    """The number of each point among those of its state, 0, 1, …, shape (n,)."""
    order = np.argsort(states, kind="stable")
    ordered = states[order]
    start = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))
    counts = np.diff(np.append(start, len(states)))
    result = np.empty(len(states), dtype=np.int64)
    result[order] = np.arange(len(states)) - np.repeat(start, counts)
    return result


def reduce(x: Side, y: Side, z: Side) -> Reduced:
    """Leave out what carries no information, and number classes in an order that follows from the sample."""
    z_left = _reduced(z)
    return _labelled(_unexplained(_reduced(x), z_left), _unexplained(_reduced(y), z_left), z_left)


def _labelled(x: Ranked, y: Ranked, z: Ranked) -> Reduced:
    parts = (x, y, z)
    nominal = np.concatenate([part.side.nominal for part in parts])
    if not (nominal.any() and x.d and y.d and z.d):
        return Reduced(x, y, z)
    ranks = np.concatenate([part.ranks for part in parts])
    # Two classes are in order either way round.
    low, high = ranks.min(axis=1, keepdims=True), ranks.max(axis=1, keepdims=True)
    several = nominal & ((ranks > low) & (ranks < high)).any(axis=1)
    if not several.any():
        return Reduced(x, y, z)
    values = np.concatenate([part.side.values for part in parts])
    values[several] = canonical_codes(ranks, x.d + y.d, several)
    ranks = ranks.copy()
    ranks[several] = half_ranks(values[several])
    bounds = np.cumsum([x.d, y.d])
    x, y, z = (
        Ranked(replace(part.side, values=columns), rows)
        for part, columns, rows in zip(parts, np.split(values, bounds), np.split(ranks, bounds), strict=True)
    )
    return Reduced(x, y, z)


def _reduced(side: Side) -> Ranked:
    ranks = half_ranks(side.values)
    part = Ranked(side, ranks).columns((ranks != ranks[:, :1]).any(axis=1))
    if part.d > 1:
        keys = fingerprints(part.ranks.astype(np.int64))
        part = part.columns(distinct_columns(part.side, part.ranks, keys))
        part = part.columns(independent_columns(part.side, part.ranks))
    return part


def _unexplained(part: Ranked, z: Ranked) -> Ranked:
    """The columns that no column of Z determines, nor all of them by the states that they take together."""
    if not (part.d and z.d):
        return part
    others = [*z.ranks, states_of(z.ranks)] if z.d > 1 else [*z.ranks]
    kept = np.array([not any(_determines(other, column) for other in others) for column in part.ranks])
    return _without_combinations(part.columns(kept), z) if kept.any() else part.columns(kept)


def _determines(other: NDArray[Any], column: NDArray[np.int32]) -> bool:
    """Whether equal values of one column go with equal values of another, and that is no accident."""
    order = np.argsort(other, kind="stable")
    sorted_other, sorted_column = other[order], column[order]
    same = sorted_other[1:] == sorted_other[:-1]
    if (sorted_column[1:][same] != sorted_column[:-1][same]).any():
        return False
    # Without ties every column would be a function of every other: only a monotone one is no accident.
    if same.mean() >= 0.5:
        return True
    steps = np.diff(sorted_column.astype(np.int64))
    return bool((steps >= 0).all() or (steps <= 0).all())


def _without_combinations(part: Ranked, z: Ranked) -> Ranked:
    numbers, others = np.flatnonzero(~part.side.nominal), z.side.values[~z.side.nominal]
    if not len(numbers) or not len(others):
        return part
    values = np.concatenate([others, part.side.values[numbers]])
    if not outnumbered(values) or not may_depend(values):
        return part
    kept = np.ones(part.d, dtype=np.bool_)
    for position, _ in dependent_columns(values, max(part.side.rounding, z.side.rounding)):
        if position >= len(others):
            kept[numbers[position - len(others)]] = False
    return part.columns(kept)


__all__ = ["Ranked", "Reduced", "reduce"]
