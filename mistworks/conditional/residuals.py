"""What Z leaves unexplained of the columns of X and Y: residuals of regressions, in NumPy alone.

For any function h, I(X;Y|Z) = I(X − h(Z);Y|Z), and likewise with the scale: dividing by s(Z) > 0 changes
nothing. Where h and s are what X follows, the residual is independent of Z, and I(X;Y|Z) is the plain mutual
information of the residuals.

Columns are read as normal scores of their ranks, so that no strictly monotone map of a column changes
anything beyond the sign of a residual. The features of Z are cosines of its ranks, which are even or odd
under a reversal, and products of them; a ridge chosen by leave-one-out error for each column keeps those
that help (Allen, "The relationship between variable selection and data augmentation and a method for
prediction", Technometrics 1974: eᵢ / (1 − hᵢᵢ)). What is returned are the leave-one-out residuals, since
fitted ones are too small.
"""

from copy import copy
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mistworks.conditional.reduction import Ranked
from mistworks.preparation.reading import Side
from mistworks.preparation.scores import scores_of_ranks

Array = NDArray[np.float64]

# Frequencies of each of the columns of Z, by how many there are, and of the products of two.
_FREQUENCIES = {1: 16, 2: 10, 3: 7, 4: 6, 8: 4, 16: 3, 32: 2}
_PRODUCTS = {2: 5, 3: 3, 4: 2, 10: 1}
_MOST_CLASSES = 12
_RIDGES = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)
_LEAST_GAIN = 0.01
_MOST_LEVERAGE = 0.95
_MOST_MEAN_LEVERAGE = 0.8
# Square of the width of a bump for each column; typical squares of distances are twice that.
_WIDTH = 1.0
# A column of so few values is a class or a count: its residual still tells them apart.
_LEAST_LOG = 1e-3


@dataclass(frozen=True, eq=False)
class Residuals:
    """Residuals of the columns of a side.

    Attributes:
        side: the residuals, d columns; columns of class labels as they were.
        explained: share of the variance of each column that Z explains out of sample, shape (d,), at least 0.
        scaled: share of the variance of log squared residuals that Z explains, shape (d,), at least 0.
        bent: how much more of the variance of each column a curved function of Z explains than a linear one,
            shape (d,), at least 0.
        numbers: columns that are no class labels, shape (d,).
    """

    side: Side
    explained: Array
    scaled: Array
    bent: Array
    numbers: NDArray[np.bool_]


class Regression:
    """Ridge regressions on features of Z, all from one decomposition each.

    Args:
        z: the columns of Z, one at least.
    """

    def __init__(self, z: Ranked) -> None:
        self._linear, others = _features(z)
        self._designs = [_Design(self._linear)]
        if others.shape[1]:
            self._designs.append(_Design(np.hstack([self._linear, others])))

    def with_bumps(self, landmarks: NDArray[np.intp]) -> "Regression":
        """The same with Gaussian bumps around some points, which see functions of several columns at a time.

        Args:
            landmarks: positions of points that stand for all of them.
        """
        other = copy(self)
        other._designs = [*self._designs, _Design(np.hstack([self._linear, _bumps(self._linear, landmarks)]))]
        return other

    def residuals(self, part: Ranked) -> Residuals:
        """Leave-one-out residuals of each column, divided by how far they spread where Z is alike."""
        is_number = ~_is_class(part)
        numbers = np.flatnonzero(is_number)
        values = part.side.values.copy()
        explained, scaled, bent = (np.zeros(part.d) for _ in range(3))
        if len(numbers):
            scores = scores_of_ranks(part.ranks[numbers]).T
            scores = (scores - scores.mean(axis=0)) / np.maximum(scores.std(axis=0), 1e-9)
            errors, explained[numbers], bent[numbers] = self.predict(scores)
            logs = np.log(np.square(errors) + _LEAST_LOG)
            rest, scaled[numbers], _ = self.predict(logs)
            spread = np.exp(0.5 * np.clip(logs - rest, -6.0, 3.0))
            values[numbers] = (errors / spread).T
        side = Side(np.ascontiguousarray(values), part.side.nominal, part.side.labels)
        return Residuals(side, explained, scaled, bent, is_number)

    def predict(self, targets: Array) -> tuple[Array, Array, Array]:
        """Regress columns, shape (n, m), on the features of Z.

        Returns:
            Leave-one-out errors by the best design and ridge for each column, shape (n, m); the share of its
            variance that is explained, shape (m,), at least 0; and how much of that is not linear, shape
            (m,).
        """
        n = len(targets)
        centred = (targets - targets.mean(axis=0)) * (n / (n - 1))
        total = np.maximum(np.square(centred).mean(axis=0), 1e-12)
        best, errors = total * (1.0 - _LEAST_GAIN), centred.copy()
        straight = best
        for number, design in enumerate(self._designs):
            for candidate in design.errors(targets):
                loss = np.square(candidate).mean(axis=0)
                better = loss < best
                best = np.where(better, loss, best)
                errors = np.where(better, candidate, errors)
            straight = best if number == 0 else straight
        share = 1.0 - np.square(errors).mean(axis=0) / total
        return errors, np.maximum(share, 0.0), (straight - best) / total


class _Design:
    """Features, decomposed: Φ = U S Vᵀ through the eigenvectors of ΦᵀΦ."""

    def __init__(self, features: Array) -> None:
        centred = features - features.mean(axis=0)
        squares, vectors = np.linalg.eigh(centred.T @ centred)
        self._n = len(features)
        kept = squares > 1e-9 * max(squares[-1], 1e-30)
        self._squares = squares[kept]
        self._left = centred @ (vectors[:, kept] / np.sqrt(self._squares))
        shrinks = [self._squares / (self._squares + ridge * self._n) for ridge in _RIDGES]
        leverages = (np.square(self._left) @ np.stack(shrinks, axis=1) + 1.0 / self._n).T
        self._ridges = [
            (shrink[:, None], 1.0 / (1.0 - np.minimum(leverage, _MOST_LEVERAGE))[:, None])
            for shrink, leverage in zip(shrinks, leverages, strict=True)
            if leverage.mean() <= _MOST_MEAN_LEVERAGE
        ]

    def errors(self, targets: Array) -> list[Array]:
        """Leave-one-out errors of targets of shape (n, m), by the ridge."""
        centred = targets - targets.mean(axis=0)
        along = self._left.T @ centred
        return [(centred - self._left @ (shrink * along)) * inflation for shrink, inflation in self._ridges]


def _is_class(part: Ranked) -> NDArray[np.bool_]:
    """Columns of labels; two labels are numbers as well as any."""
    classes = part.side.nominal.copy()
    for column in np.flatnonzero(classes):
        classes[column] = len(np.unique(part.ranks[column])) > 2
    return classes


def _features(z: Ranked) -> tuple[Array, Array]:
    """Linear features of shape (n, p): normal scores and classes; and others: cosines and products."""
    n = z.ranks.shape[1]
    classes = _is_class(z)
    numbers = z.ranks[~classes]
    linear = [row[:, None] for row in scores_of_ranks(numbers)]
    linear += [_indicators(row) for row in z.ranks[classes]]
    d = len(numbers)
    count = _allowed(_FREQUENCIES, d, n) if d else 0
    if not count:
        return np.hstack(linear), np.empty((n, 0))
    angles = np.pi * (numbers.T / 2.0 + 1.0) / (n + 1)
    cosines = np.stack([np.cos(k * angles) / k for k in range(1, count + 1)], axis=2)
    others = [cosines.reshape(n, -1)]
    order = _allowed(_PRODUCTS, d, n) if d > 1 else 0
    for k in range(1, order + 1):
        for m in range(1, order + 2 - k):
            for i in range(d):
                chosen = slice(i + 1, d) if k == m else np.flatnonzero(np.arange(d) != i)
                others.append(1.4 * cosines[:, i, k - 1 : k] * cosines[:, chosen, m - 1])
    if classes.sum() == 1 and d <= 4:
        others.append((linear[-1][:, :, None] * cosines[:, None, :, :3].reshape(n, 1, -1)).reshape(n, -1))
    return np.hstack(linear), np.hstack(others)


def _bumps(coordinates: Array, landmarks: NDArray[np.intp]) -> Array:
    """exp(−‖z − l‖² / 2h²) around each landmark l, with h² = p, shape (n, landmarks).

    Args:
        coordinates: normal scores and classes, shape (n, p).
        landmarks: positions of points.
    """
    centres = coordinates[landmarks]
    squares = np.square(coordinates).sum(axis=1)[:, None] + np.square(centres).sum(axis=1)
    distances = np.maximum(squares - 2.0 * coordinates @ centres.T, 0.0)
    return np.asarray(np.exp(-0.5 * distances / (_WIDTH * coordinates.shape[1])))


def _indicators(row: NDArray[np.int32]) -> Array:
    """Which of the most frequent classes each point is in, shape (n, classes)."""
    values, codes, counts = np.unique(row, return_inverse=True, return_counts=True)
    least = np.sort(counts)[-min(_MOST_CLASSES, len(values))]
    kept = np.flatnonzero(counts >= max(least, 2))
    return np.asarray((codes[:, None] == kept).astype(np.float64) * 1.5)


def _allowed(table: dict[int, int], d: int, n: int) -> int:
    count = next((value for most, value in table.items() if d <= most), 0)
    return count if n >= 200 else (count + 1) // 2


__all__ = ["Regression", "Residuals"]
