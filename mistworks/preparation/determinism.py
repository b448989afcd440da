"""Detect whether one side of a sample is a function of the other up to rounding: I(X;Y) is then infinite.

The sample has to distinguish a function from strong but finite dependence: 10 nats between two normal
variables leave noise of e⁻¹⁰ = 4.5 · 10⁻⁵ of their spread. So a relation counts as a function only if its
residuals, in three of four points, are smaller than the noise of 12 nats. Relations are fitted linear or
quadratic forms, and interpolation between neighbours or by kernels. If points are too far apart for such an
exact interpolation, both are possible, and the dependence counts as finite.
"""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from mistworks.preparation.reading import Side
from mistworks.preparation.redundancy import (
    dependent_columns,
    fingerprints,
    may_depend,
    outnumbered,
    standardised,
)
from mistworks.preparation.repetition import lattice_sites, multiplicities
from mistworks.statistics.ranked import half_ranks
from mistworks.statistics.untied import hashed

_LEAST_POINTS = 20
# A function shows on a subset of the points.
_MOST_POINTS = 4_096
# With this many points, the noise of 10 nats would swap about n² exp(−10) / 3.5 = 30 neighbours.
_RANKS_SUFFICE = 1_500
_SINGLES = 0.05
# Squares of numbers above this, or below its inverse, may leave the range of double precision.
_LARGE = 1e100
# A column with less than this share of a combination is rounding.
_NO_SHARE = 1e-6
_MOST_INPUTS = 3
_MOST_PAIRS = 64
# Ranks of neighbours along a function differ by less than this share of n; without a function, by a third.
_NEIGHBOURS_DIFFER = 0.1
# Residuals in units of the median deviation: the noise of 10 nats leaves 8e-5 in three points of four, values
# of spread 1 with six decimals leave 1e-6.
_ROUNDING = 6e-6
# The same in units of the differences of neighbours, which n points of spread 1 leave at about 8 / n: the
# noise of 10 nats leaves 8e-6 n.
_ROUNDING_OF_SPACING = 1e-6
_MOST = 0.75
# Exactness of a combination that is examined.
_CANDIDATE = 1e-5
_CLOUD_POINTS = 256
# Kernels through few points miss noise by more than its size, and functions by less than their spread.
_GATES = ((64, 0.5), (128, 0.05))
_NUGGET = 1e-12
_WIDTHS = (2.0, 1.0)


def is_function(x: Side, y: Side, ranks: NDArray[np.int32]) -> bool:
    """Whether a continuous column of one side, or a combination of several, is a function of the other side.

    Args:
        x: the columns of X, none of them redundant.
        y: the same for Y.
        ranks: half ranks, shape (dx + dy, n), X first.
    """
    if ranks.shape[1] < _LEAST_POINTS or not x.shape[1] or not y.shape[1]:
        return False
    if x.nominal.all() or y.nominal.all():
        return False
    values = np.concatenate([x.values, y.values])
    if ranks.shape[1] > _MOST_POINTS:
        values = values[:, :: -(-ranks.shape[1] // _MOST_POINTS)]
        ranks = half_ranks(values)
    largest = np.abs(values).max(axis=1)
    if largest.max() > _LARGE or largest.min() < 1 / _LARGE:
        values = values / largest[:, None]
    sample = _Sample(
        values, ranks, x.shape[1], np.concatenate([x.nominal, y.nominal]), max(x.rounding, y.rounding)
    )
    try:
        # Outliers may overflow. Values that are not finite then do not count as a function.
        with np.errstate(all="ignore"):
            return sample.shares_ranks() or sample.is_linear() or sample.is_smooth()
    except np.linalg.LinAlgError:
        return False


class _Sample:
    """Values and half ranks of both sides of a sample, shape (dx + dy, n), X first."""

    def __init__(
        self,
        values: NDArray[np.float64],
        ranks: NDArray[np.int32],
        dx: int,
        nominal: NDArray[np.bool_],
        rounding: float,
    ) -> None:
        self.values, self.ranks, self.dx, self.nominal, self.rounding = values, ranks, dx, nominal, rounding
        self.n = ranks.shape[1]
        self._continuous: dict[int, bool] = {}

    def is_continuous(self, column: int) -> bool:
        """Whether the values of a column occur once and do not lie on a lattice with natural ties."""
        if column not in self._continuous:
            self._continuous[column] = not self.nominal[column] and _is_continuous(
                self.values[column], self.ranks[column]
            )
        return self._continuous[column]

    def shares_ranks(self) -> bool:
        """Whether a continuous column of X and one of Y have equal or reversed ranks, in many points."""
        if self.n < _RANKS_SUFFICE:
            return False
        keys = fingerprints(self.ranks.astype(np.int64))
        shared = np.flatnonzero(np.isin(keys[: self.dx], keys[self.dx :]))
        return any(map(self.is_continuous, shared.tolist()))

    def is_linear(self) -> bool:
        """Whether a combination of columns of X equals one of columns of Y."""
        numbers = np.flatnonzero(~self.nominal)
        return self._are_tied(self.values[numbers], numbers, int((numbers < self.dx).sum()))

    def _are_tied(self, columns: NDArray[np.float64], sources: NDArray[np.intp], width: int) -> bool:
        """Whether a combination of the first columns equals one of the others, beyond shared classes.

        Args:
            columns: shape (d, n).
            sources: columns of the sample that these are functions of, shape (d,).
            width: number of columns of the first side.
        """
        if not outnumbered(columns) or not may_depend(columns):
            return False
        scales = columns.std(axis=1)
        for position, coefficients in dependent_columns(columns, self.rounding, _CANDIDATE):
            used = coefficients.copy()
            used[position] = -1.0
            shares = np.abs(used) * scales
            used[shares < _NO_SHARE * shares.max()] = 0.0
            sides = np.flatnonzero(used[:width]), width + np.flatnonzero(used[width:])
            if all(any(self.is_continuous(int(sources[j])) for j in side) for side in sides):
                shared = np.stack([used[:width] @ columns[:width], -(used[width:] @ columns[width:])])
                if self._is_rounding(shared, np.abs(used) @ np.abs(columns)):
                    return True
        return False

    def _is_rounding(self, shared: NDArray[np.float64], terms: NDArray[np.float64]) -> bool:
        """Whether a quantity by both sides, shape (2, n), differs only by rounding, and is not a class.

        Args:
            shared: the quantity by each side, up to a constant.
            terms: sizes of the terms summed for both together, shape (n,).
        """
        centred = shared - _medians(shared)[:, None]
        spread = float(_medians(np.abs(centred)).min())
        difference = centred[0] - centred[1]
        missed = np.quantile(np.abs(difference - np.median(difference)), _MOST)
        # A sum is no more exact than its terms, which may be far from 0.
        if not missed <= max(_ROUNDING * spread, 0.5 * self.rounding * float(np.median(terms))):
            return False
        # Classes that two sides share have few values, up to rounding.
        values = np.unique(np.round(standardised(shared[:1]) * 1e6))
        return bool(len(values) >= max(10, _SINGLES * self.n))

    def is_smooth(self) -> bool:
        """Whether a column is a smooth function of one to three columns of the other side."""
        x, y = np.split(np.arange(len(self.ranks)), [self.dx])
        if len(x) * len(y) <= _MOST_PAIRS:
            for column, outputs in [(j, y) for j in x] + [(j, x) for j in y]:
                if self._follow_line(int(column), outputs):
                    return True
        return any(
            1 < len(inputs) <= _MOST_INPUTS and self._follow_cloud(inputs, outputs)
            for inputs, outputs in ((x, y), (y, x))
        )

    def _follow_line(self, column: int, outputs: NDArray[np.intp]) -> bool:
        """Whether some outputs are smooth functions of one column, by interpolation of left-out points."""
        order = np.argsort(self.ranks[column], kind="stable")
        along = self.ranks[outputs][:, order]
        change = np.abs(along[:, 1:] - along[:, :-1]).mean(axis=1)
        near = outputs[change < 2 * self.n * _NEIGHBOURS_DIFFER]
        if not len(near) or not self.is_continuous(column):
            return False
        singles = multiplicities(self.ranks[column]) == 1
        for row in filter(self.is_continuous, near.tolist()):
            points = order[(singles & (multiplicities(self.ranks[row]) == 1))[order]]
            if len(points) >= _LEAST_POINTS and _interpolates(
                self.values[column, points], self.values[row, points]
            ):
                return True
        return False

    def _follow_cloud(self, inputs: NDArray[np.intp], outputs: NDArray[np.intp]) -> bool:
        """Whether some outputs are functions of two or three columns that are quadratic or smooth."""
        if self.nominal[inputs].any():
            return False
        outputs = np.array(
            [column for column in outputs.tolist() if self.is_continuous(column)], dtype=np.intp
        )
        if not len(outputs) or not all(map(self.is_continuous, inputs.tolist())):
            return False
        if self._is_quadratic(inputs, outputs):
            return True
        rows = _some_rows(self.ranks, _CLOUD_POINTS)
        return _meet(_scaled(self.values[inputs][:, rows]), _scaled(self.values[outputs][:, rows]))

    def _is_quadratic(self, inputs: NDArray[np.intp], outputs: NDArray[np.intp]) -> bool:
        """Whether a quadratic form of the inputs equals a combination of some outputs and their squares.

        Norms and products are of this kind.
        """
        outputs = outputs[:_MOST_INPUTS]
        first, second = _pairs(len(inputs))
        x, y = standardised(self.values[inputs]), self.values[outputs]
        y = y / np.maximum(np.abs(y).max(axis=1, keepdims=True), 1e-300)
        features = np.concatenate([x, x[first] * x[second], y, y**2])
        sources = np.concatenate([inputs, inputs[first], outputs, outputs])
        return self._are_tied(features, sources, len(inputs) + len(first))


def _is_continuous(column: NDArray[np.float64], ranks: NDArray[np.int32]) -> bool:
    n = len(ranks)
    singles = int((multiplicities(ranks) == 1).sum())
    if singles < max(10, _SINGLES * n):
        return False
    sites = lattice_sites(column)
    # Values without ties on a lattice that should have ties are ranks.
    return bool(np.isinf(sites) or (singles == n and sites < n**2 / 10))


def _interpolates(x: NDArray[np.float64], y: NDArray[np.float64]) -> bool:
    """Whether polynomials through the neighbours of each point predict most points up to rounding."""
    small = _ROUNDING_OF_SPACING * len(x) * float(np.median(np.abs(y[2:] - y[:-2])))
    # Higher degrees approximate a function better, and lower ones enlarge rounding less.
    return any(float(np.quantile(_residuals(x, y, reach), _MOST)) < small for reach in (2, 3, 1))


def _residuals(x: NDArray[np.float64], y: NDArray[np.float64], reach: int) -> NDArray[np.float64]:
    """Return errors of polynomials through ``reach`` points on either side, shape (n − 2 reach,)."""
    count = len(x) - 2 * reach
    centre = x[reach : reach + count]
    starts = [reach + shift for shift in range(-reach, reach + 1) if shift]
    nodes = [x[start : start + count] for start in starts]
    interpolated = np.zeros(count)
    for j, start in enumerate(starts):
        weight = np.ones(count)
        for k, node in enumerate(nodes):
            if k != j:
                weight *= (centre - node) / (nodes[j] - node)
        interpolated += weight * y[start : start + count]
    return np.abs(interpolated - y[reach : reach + count])


def _meet(x: NDArray[np.float64], y: NDArray[np.float64]) -> bool:
    """Whether kernels through all other points predict most points up to rounding, for some row of y."""
    spread = _medians(np.abs(y))
    # For most samples, a few points exclude a function, in little time.
    for count, largest in _GATES:
        promising = _missed(x[:, :count], y[:, :count], _WIDTHS[0]) < largest * spread
        y, spread = y[promising], spread[promising]
        if not len(y):
            return False
    return any((_missed(x, y, width) < _ROUNDING * spread).any() for width in _WIDTHS)


def _missed(x: NDArray[np.float64], y: NDArray[np.float64], width: float) -> NDArray[np.float64]:
    """Return the third quartile of the residuals of `_left_out`, shape (k,)."""
    return np.asarray(np.quantile(_left_out(x, y, width), _MOST, axis=1))


def _left_out(x: NDArray[np.float64], y: NDArray[np.float64], width: float) -> NDArray[np.float64]:
    """Return residuals of points left out of an interpolation by normal kernels and a quadratic form.

    They follow from one linear system (Rippa, "An algorithm for selecting a good value for the parameter c in
    radial basis function interpolation", Adv. Comput. Math. 11, 1999).

    Args:
        x: inputs, shape (d, n).
        y: outputs, shape (k, n).
        width: width of the kernels.

    Returns:
        Shape (k, n).
    """
    first, second = _pairs(len(x))
    features = np.concatenate([np.ones((1, x.shape[1])), x, x[first] * x[second]])
    basis = np.linalg.qr(features.T)[0]
    distances = _square_distances(x, x)
    np.fill_diagonal(distances, 0.0)
    kernel = np.exp(-distances / (2.0 * width**2))
    kernel.flat[:: len(kernel) + 1] += _NUGGET
    inverse = np.linalg.inv(kernel)
    # Kernels fit the part that is orthogonal to the form.
    lost = inverse @ basis
    inverse -= lost @ np.linalg.solve(basis.T @ lost, lost.T)
    diagonal = inverse.diagonal()
    # Where rounding has spoilt the inverse, the result is unknown.
    return np.asarray(np.where(diagonal > 0, np.abs(y @ inverse) / np.abs(diagonal), np.inf))


@lru_cache(maxsize=8)
def _pairs(d: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return positions i ≤ j of pairs among d columns."""
    first, second = np.triu_indices(d)
    return first, second


def _square_distances(x: NDArray[np.float64], others: NDArray[np.float64]) -> NDArray[np.float64]:
    squares = np.einsum("dn,dn->n", x, x)[:, None] + np.einsum("dn,dn->n", others, others)
    return np.asarray(np.maximum(squares - 2.0 * x.T @ others, 0.0))


def _medians(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return medians along the last axis. For few values, this is faster than NumPy's median."""
    count = values.shape[-1]
    middle = np.partition(values, [(count - 1) // 2, count // 2], axis=-1)
    return np.asarray(0.5 * (middle[..., (count - 1) // 2] + middle[..., count // 2]))


def _scaled(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Centre columns by their median, and scale them by their median deviation, shape (d, n)."""
    centred = values - _medians(values)[:, None]
    deviation = _medians(np.abs(centred))[:, None]
    return np.asarray(centred / np.where(deviation > 0, deviation, 1.0))


def _some_rows(ranks: NDArray[np.int32], most: int) -> NDArray[np.intp]:
    """Return positions of at most this many rows, independent of the order of rows and columns."""
    n = ranks.shape[1]
    if n <= most:
        return np.arange(n)
    folded = np.abs(ranks.astype(np.int64) - (n - 1)).astype(np.uint64)
    return np.argsort(hashed(hashed(folded).sum(axis=0, dtype=np.uint64)))[:most]


__all__ = ["is_function"]
