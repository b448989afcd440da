"""What a condition Z predicts of a column, by ridge regression on smooth functions of Z.

Conditional mutual information does not change when a function of Z is subtracted from X: (X, Z) and
(X − m(Z), Z) determine each other. The residuals depend on Z far less than X does, so that permuting them
among points of similar Z changes far less than permuting X would.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from mistworks.preparation.scores import normal_scores
from mistworks.preparation.table import Side, Table

Scores = Callable[[NDArray[np.float64]], NDArray[np.float64]]

# Widths of the Gaussian kernel in units of √(number of columns); the smallest follows a few oscillations.
_WIDTHS = (0.3, 1.0, 3.0)
# Within so many standard deviations, numbers are mapped nearly linearly; the quartiles are 1.349 apart.
_TAME, _QUARTILES = 3.0, 1.349
_LANDMARKS = 200
_BENDS = 20
_OF_LINEAR = 3.0
_PENALTIES = 10.0 ** np.arange(-3, 4.1, 0.5)
# Degrees of freedom count less than in generalised cross-validation. What the regressions of X and of Y miss
# of Z is alike in both and looks like dependence; what they follow of the noise is not.
_CAUTION = 0.6
_MOST_SPENT = 0.3
_MAX_LEVELS = 32
_SMALLEST = 1e-10
# Steps between the normal scores of a function of Z and those of Z are a few hundredths.
_NEARLY_DETERMINED = 0.05
# A column with more distinct values than this share of its rows is continuous.
_CONTINUOUS = 0.5


def is_continuous(column: NDArray[np.float64]) -> bool:
    """Whether most values of a column are distinct."""
    return len(np.unique(column)) > _CONTINUOUS * len(column)


def scored_columns(table: Table, scores: Scores = normal_scores) -> NDArray[np.float64]:
    """Scores of numbers, and an indicator per class: shape (p, n)."""
    columns: list[NDArray[np.float64]] = []
    for values, nominal in zip(table.values, table.nominal, strict=True):
        columns += indicators(values) if nominal else list(scores(values[None]))
    return np.array(columns).reshape(len(columns), len(table))


def levelled(numbers: NDArray[np.float64]) -> NDArray[np.float64]:
    """Map rows of numbers of shape (p, n) smoothly, and nearly linearly but where tails are heavy.

    arsinh((v − median) / (3 σ)), with σ from the quartiles. Normal scores follow the gaps of a sample: those
    of Z and those of a function of Z differ by steps of about 1/√n, at all scales, that no regression
    resolves. These maps keep smooth functions smooth. Rows of which half the values are equal get their
    normal scores.
    """
    low, middle, high = np.quantile(numbers, (0.25, 0.5, 0.75), axis=1)[:, :, None]
    scale = _TAME * (high - low) / _QUARTILES
    maps = np.arcsinh((numbers - middle) / np.where(scale > 0, scale, 1.0)) * _TAME
    return np.where(scale > 0, maps, normal_scores(numbers))


def indicators(codes: NDArray[np.float64]) -> list[NDArray[np.float64]]:
    """Where each of the most frequent classes is, 0 or 1."""
    classes, counts = np.unique(codes, return_counts=True)
    frequent = classes[np.argsort(-counts, kind="stable")[:_MAX_LEVELS]]
    return [(codes == each).astype(np.float64) for each in frequent]


@dataclass(frozen=True, eq=False, slots=True)
class Basis:
    """Orthonormal functions at n points.

    Attributes:
        functions: shape (n, m).
        singular: how smooth each is, shape (m,): the smoother, the larger.
    """

    functions: NDArray[np.float64]
    singular: NDArray[np.float64]

    @classmethod
    def of(cls, functions: NDArray[np.float64]) -> "Basis":
        """Orthogonalise functions of shape (n, k)."""
        centred = functions - functions.mean(axis=0)
        # By the Gram matrix, whose size does not grow with n.
        squares, vectors = np.linalg.eigh(centred.T @ centred)
        kept = squares > _SMALLEST * max(float(squares[-1]), _SMALLEST)
        singular = np.sqrt(squares[kept])
        return cls(centred @ (vectors[:, kept] / singular), singular)

    def fit(self, column: NDArray[np.float64], freedom: float = 1.0) -> "Fit":
        """Ridge regression of a centred column of shape (n,), with the penalty of the lowest score.

        Args:
            column: what to predict.
            freedom: degrees of freedom that are spent already.
        """
        parts = self.functions.T @ column
        squares = self.singular**2
        # Shape (number of penalties, m).
        shrinkage = squares / (squares + _PENALTIES[:, None])
        errors = column @ column - parts @ parts + (((1 - shrinkage) * parts) ** 2).sum(axis=1)
        spent = freedom + shrinkage.sum(axis=1)
        scores = _scores(errors, spent, len(column))
        best = int(scores.argmin())
        step = self.functions, shrinkage[best]
        return Fit(
            self.functions @ (shrinkage[best] * parts), float(scores[best]), float(spent[best]), (step,)
        )


@dataclass(frozen=True, eq=False, slots=True)
class Fit:
    """What was predicted of a centred column.

    Attributes:
        prediction: shape (n,).
        score: of generalised cross-validation (Golub, Heath and Wahba, Technometrics 21, 1979).
        freedom: degrees of freedom that were spent.
        steps: orthonormal functions, shape (n, m), with the share of each that was predicted, shape (m,);
            one after the other.
    """

    prediction: NDArray[np.float64]
    score: float
    freedom: float
    steps: tuple[tuple[NDArray[np.float64], NDArray[np.float64]], ...] = ()

    def left_of(self, column: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return another column of shape (n,) less what this regression, without choosing anew, predicts."""
        left = column - column.mean()
        for functions, share in self.steps:
            left = left - functions @ (share * (functions.T @ left))
        return np.asarray(left)

    def bent(self, column: NDArray[np.float64]) -> "Fit":
        """The fit with a smooth function of its predictions added, where that is better.

        So a function of a linear combination is followed, whatever the number of columns.
        """
        deviation = self.prediction.std()
        if deviation <= _SMALLEST:
            return self
        places = np.quantile(self.prediction, (np.arange(_BENDS) + 0.5) / _BENDS)
        distances = (self.prediction[:, None] - places) / deviation
        more = Basis.of(np.exp(-2 * distances**2)).fit(column - self.prediction, self.freedom)
        if more.score >= self.score:
            return self
        return Fit(self.prediction + more.prediction, more.score, more.freedom, (*self.steps, *more.steps))


@dataclass(frozen=True, eq=False, slots=True)
class Smoother:
    """Regressions on one condition, prepared once for many columns.

    Attributes:
        bases: linear functions; with those, smooth functions of each column; with these, Gaussian kernels of
            several widths at some of the points.
    """

    bases: tuple[Basis, ...]

    @classmethod
    def of(cls, condition: NDArray[np.float64], rng: np.random.Generator) -> "Smoother":
        """Prepare the regression on columns of shape (n, p).

        The kernel is computed at some of the points (Nyström's approximation: Williams and Seeger, "Using
        the Nyström method to speed up kernel machines", NIPS 2000).

        Args:
            condition: what to predict from.
            rng: chooses the points.
        """
        n, p = condition.shape
        # Hardly penalised.
        linear = _OF_LINEAR * condition
        places = condition[rng.choice(n, min(_BENDS, n), replace=False)][:, None]
        # Two values bend no further than a line.
        bending = [column for column in range(p) if len(np.unique(condition[:, column])) > 2]
        by_column = [np.exp(-0.5 * (condition[:, [c]] - places[:, 0, c]) ** 2) for c in bending]
        landmarks = condition[rng.choice(n, min(_LANDMARKS, n), replace=False)]
        to_landmarks = _squared_distances(condition, landmarks)
        among = _squared_distances(landmarks, landmarks)
        bases = [Basis.of(linear), Basis.of(np.column_stack([linear, *by_column]))]
        for width in _WIDTHS:
            scale = 2 * width**2 * max(p, 1)
            values, vectors = np.linalg.eigh(np.exp(-among / scale))
            kept = values > 1e-8 * values[-1]
            kernel = np.exp(-to_landmarks / scale) @ (vectors[:, kept] / np.sqrt(values[kept]))
            bases.append(Basis.of(np.column_stack([kernel, linear])))
        return cls(tuple(bases))

    def fit(self, column: NDArray[np.float64]) -> Fit:
        """Predict a column of shape (n,), less its mean, by the basis of the lowest score."""
        n, centred = len(column), column - column.mean()
        fits = [basis.fit(centred).bent(centred) for basis in self.bases]
        nothing = Fit(np.zeros(n), float(_scores(centred @ centred, 1.0, n)), 1.0)
        return min([nothing, *fits], key=lambda fit: fit.score)


@dataclass(frozen=True, eq=False)
class Regression:
    """Regressions on a table, by ranks and where those resolve too little by values.

    Attributes:
        condition: the table.
        rng: chooses points of the regression.
    """

    condition: Side
    rng: np.random.Generator

    def fit(self, column: NDArray[np.float64]) -> Fit:
        """Predict a column of shape (n,) from normal scores and classes."""
        return self._by_ranks.fit(column)

    def least_left(self, numbers: NDArray[np.float64]) -> tuple[NDArray[np.float64], Fit]:
        """Return scores of continuous numbers of shape (n,), of which the regression leaves little.

        They are normal scores, on which rising maps of the numbers and of the condition have no effect,
        unless the condition leaves less than a twentieth of their variance.
        """
        column = normal_scores(numbers[None])[0]
        fit = self.fit(column)
        if not self.condition.nominal.all() and _share(column, fit) < _NEARLY_DETERMINED:
            other = levelled(numbers[None])[0]
            closer = self._by_values.fit(other)
            if _share(other, closer) < _share(column, fit):
                return other, closer
        return column, fit

    @cached_property
    def _by_ranks(self) -> Smoother:
        return Smoother.of(scored_columns(self.condition).T, self.rng)

    @cached_property
    def _by_values(self) -> Smoother:
        return Smoother.of(scored_columns(self.condition, levelled).T, self.rng)


def _share(column: NDArray[np.float64], fit: Fit) -> float:
    """The score in units of the sum of squares."""
    return fit.score / max(len(column) * float(column.var()), _SMALLEST)


def _scores(
    errors: float | NDArray[np.float64], freedom: float | NDArray[np.float64], n: int
) -> NDArray[np.float64]:
    """The scores of generalised cross-validation; infinite where too many degrees of freedom are spent."""
    share = np.asarray(freedom) / n
    return np.asarray(
        np.where(share <= _MOST_SPENT, errors / (1 - _CAUTION * np.minimum(share, 1)) ** 2, np.inf)
    )


def _squared_distances(points: NDArray[np.float64], others: NDArray[np.float64]) -> NDArray[np.float64]:
    lengths = (points**2).sum(axis=1)[:, None] + (others**2).sum(axis=1)
    return np.asarray(np.maximum(lengths - 2 * points @ others.T, 0.0))


__all__ = ["Regression", "Smoother", "indicators", "is_continuous", "levelled", "scored_columns"]
