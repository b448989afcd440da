"""Samples with X permuted so that its dependence on a condition Z stays, and that on Y given Z goes."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mistworks.errors import MistworksError
from mistworks.permutation.smoothing import Fit, Regression, indicators, is_continuous
from mistworks.permutation.strata import Rows, groups_of_equal, permuted_within, random_strata
from mistworks.preparation.scores import normal_scores
from mistworks.preparation.table import Side

Array = NDArray[np.float64]

_LEAST_IN_STRATUM = 8
_LEAST_IN_CLASS = 20
_MOST_CLASSES = 10
# Weight of all numbers of Z together beside one predicted column, which says more of what X depends on.
_OF_NUMBERS = 0.5
# What is predicted with less than a hundredth of the variance says nothing of where points are alike.
_LEAST_PREDICTED = 0.1
_SMALLEST = 1e-10


@dataclass(frozen=True, eq=False, slots=True)
class Left:
    """One side less what Z predicts of it.

    Attributes:
        side: continuous columns as the residuals of their normal scores, all others as they were read.
        residuals: the residuals of every column, those of each class for class labels, shape (p, n).
        fits: the regression behind each of these rows.
        continuous: the columns of ``side`` that are residuals, each with its row of ``residuals``.
        predicted: normal scores of what Z predicts: of each row of ``residuals``, and of the size of those of
            continuous columns; without what hardly depends on Z; shape (q, n).
    """

    side: Side
    residuals: Array
    fits: tuple[Fit, ...]
    continuous: tuple[tuple[int, int], ...]
    predicted: Array

    @property
    def share(self) -> float:
        """The smallest share of the variance of a column that Z leaves."""
        left = self.residuals.var(axis=1)
        whole = left + np.array([fit.prediction.var() for fit in self.fits])
        return float((left / np.maximum(whole, _SMALLEST)).min())

    def in_order(self, order: Rows) -> tuple[Side, Array]:
        """Return ``side`` and ``residuals`` with their rows in another order.

        The regression is subtracted anew. Residuals are orthogonal to the functions that were fitted, and
        so vary more between the others than permuted ones, which would raise the level of a test.
        """
        rows = zip(self.fits, self.residuals[:, order], strict=True)
        residuals = np.array([fit.left_of(row) for fit, row in rows])
        values = self.side.values[:, order]
        for column, row in self.continuous:
            values[column] = residuals[row]
        return replace(self.side, values=values), residuals


@dataclass(frozen=True, eq=False, slots=True)
class Residuals:
    """A sample without what Z predicts, and where points are alike in what X depends on.

    Attributes:
        x: what is left of X: the side to permute.
        y: what is left of Y.
        given: Z as it was read.
        coordinates: points near one another here have nearly the same distribution of ``x`` given Z: normal
            scores of the numbers of Z, and what Z predicts of X; shape (n, p).
        groups: rows of equal classes of Z.
    """

    x: Left
    y: Left
    given: Side
    coordinates: Array
    groups: list[Rows]

    @property
    def within_classes(self) -> bool:
        """Whether Z consists of few classes, each with rows enough for an estimate of its own."""
        return (
            bool(self.given.nominal.all())
            and len(self.groups) <= _MOST_CLASSES
            and min(map(len, self.groups)) >= _LEAST_IN_CLASS
        )

    def orders(self, permutations: int, rng: np.random.Generator) -> Iterator[Rows]:
        """Return permutations of the rows within strata, which are drawn anew each time."""
        n = len(self.given)
        for _ in range(permutations):
            strata = random_strata(self.coordinates, self.groups, _LEAST_IN_STRATUM, rng)
            yield permuted_within(strata, n, rng)


def residuals_given(x: Side, y: Side, regression: Regression, *, may_swap: bool = True) -> Residuals:
    """Subtract what Z predicts from X and Y.

    Args:
        x: X, whose rows are permuted.
        y: Y; may be X itself.
        regression: on Z.
        may_swap: whether X and Y may change places, since I(X;Y|Z) is symmetric.

    Raises:
        MistworksError: no two rows have the same classes of Z.
    """
    given = regression.condition
    groups = groups_of_equal(given.values[given.nominal])
    if all(len(rows) < 2 for rows in groups):
        raise MistworksError(
            f"Expected classes of given that several rows have, got {len(groups):,} classes in {len(x):,} "
            "rows. Leave out columns that number the rows."
        )
    if may_swap and _all_continuous(y) and not _all_continuous(x):
        # Residuals depend on Z less than classes and tied numbers do.
        x, y = y, x
    x_left = left_of(x, regression)
    y_left = x_left if y is x else left_of(y, regression)
    coordinates = normal_scores(given.values[~given.nominal])
    if len(coordinates) and len(x_left.predicted):
        weight = _OF_NUMBERS / np.sqrt(len(coordinates))
        coordinates = np.concatenate([weight * coordinates, x_left.predicted])
    return Residuals(x_left, y_left, given, coordinates.T, groups)


def _all_continuous(side: Side) -> bool:
    return not side.nominal.any() and all(map(is_continuous, side.values))


def left_of(side: Side, regression: Regression) -> Left:
    """Return a side less what a regression predicts of it."""
    columns, residuals, predicted = list[Array](), list[Array](), list[Array]()
    fits, continuous = list[Fit](), list[tuple[int, int]]()

    def subtract(column: Array, fit: Fit) -> Array:
        if fit.prediction.std() > _LEAST_PREDICTED * column.std():
            predicted.append(fit.prediction)
        return np.asarray(column - column.mean() - fit.prediction)

    for values, nominal in zip(side.values, side.nominal, strict=True):
        if not nominal and is_continuous(values):
            scores, fit = regression.least_left(values)
            left = subtract(scores, fit)
            continuous.append((len(columns), len(residuals)))
            fits.append(fit)
            residuals.append(left)
            columns.append(left)
            subtract(np.abs(left), regression.fit(np.abs(left)))
            continue
        for column in indicators(values) if nominal else normal_scores(values[None]):
            fits.append(regression.fit(column))
            residuals.append(subtract(column, fits[-1]))
        columns.append(values)
    scored = normal_scores(np.array(predicted).reshape(len(predicted), len(side)))
    return Left(
        replace(side, values=np.array(columns)), np.array(residuals), tuple(fits), tuple(continuous), scored
    )


__all__ = ["Left", "Residuals", "left_of", "residuals_given"]
