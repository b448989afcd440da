"""Counts, survival times, zero-inflated amounts and classes. The information is exact.

Written for evaluation alone, independently of the families that estimators are trained on.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import gammaln, xlogy
from typing_extensions import override

from mistworks.dataset import FloatArray
from mistworks.distributions import JointDistribution
from mistworks.evaluation.distributions.exact import ByTable, nodes, table_information
from mistworks.evaluation.distributions.pointwise import Array, normal_log_density, normal_pairs
from mistworks.evaluation.distributions.tables import poisson_probabilities


@dataclass(frozen=True, eq=False)
class CountedDose(ByTable):
    """X ~ U(0, 1), Y given X ~ Poisson(exp(a + bX)): colonies by dose.

    Attributes:
        start: a.
        slope: b.
    """

    start: float
    slope: float

    dx = dy = 1

    @override
    def masses(self) -> Array:
        """Masses of nodes of X and counts."""
        x, weights = nodes(0, 1, 20)
        return weights[:, None] * poisson_probabilities(np.exp(self.start + self.slope * x))

    @override
    def draw(self, n: int, rng: np.random.Generator) -> tuple[Array, Array]:
        x = rng.random((n, 1))
        return x, rng.poisson(np.exp(self.start + self.slope * x)).astype(np.float64)


@dataclass(frozen=True, eq=False)
class Survival(ByTable):
    """X standard normal, Y = min(T, c) with T exponential with rate exp(bX): a study with an end.

    Attributes:
        slope: b, the log hazard ratio.
        end: c.
    """

    slope: float
    end: float

    dx = dy = 1

    @override
    def masses(self) -> Array:
        """Masses of nodes of X, and of nodes of time and the atom at its end."""
        x, x_weights = nodes(-8, 8, 40)
        # Nodes in the square root of time, to resolve early deaths at high rates.
        root, root_weights = nodes(0, np.sqrt(self.end), 40)
        time, weights = root**2, 2 * root * root_weights
        rate = np.exp(self.slope * x)[:, None]
        died = weights * rate * np.exp(-rate * time)
        law = np.column_stack([died, np.exp(-rate * self.end)])
        return np.asarray((x_weights * np.exp(-0.5 * x**2))[:, None] * law)

    @override
    def draw(self, n: int, rng: np.random.Generator) -> tuple[Array, Array]:
        x = rng.standard_normal((n, 1))
        return x, np.minimum(rng.exponential(size=(n, 1)) * np.exp(-self.slope * x), self.end)


@dataclass(frozen=True, eq=False)
class Claims(ByTable):
    """X ~ Poisson(λ) claims of exponential size with mean 1, and Y their sum: 0 without claims.

    Attributes:
        mean: λ.
    """

    mean: float

    dx = dy = 1

    @override
    def masses(self) -> Array:
        """Masses of counts, and of the atom at 0 and nodes of the sum."""
        count = np.arange(1.0, 40.0)
        y, weights = nodes(0, 60, 200)
        chances = np.exp(xlogy(count, self.mean) - self.mean - gammaln(count + 1))
        sums = np.exp((count[:, None] - 1) * np.log(y) - y - gammaln(count)[:, None])
        none = np.zeros(len(y) + 1)
        none[0] = np.exp(-self.mean)
        some = np.column_stack([np.zeros(len(count)), chances[:, None] * weights * sums])
        return np.vstack([none, some])

    @override
    def draw(self, n: int, rng: np.random.Generator) -> tuple[Array, Array]:
        count = rng.poisson(self.mean, (n, 1)).astype(np.float64)
        return count, np.where(count > 0, rng.gamma(np.maximum(count, 1.0)), 0.0)


@dataclass(frozen=True, eq=False)
class Hurdle(JointDistribution):
    """Two amounts that are 0 or log-normal; if both are positive, their logarithms have correlation ρ.

    The distribution of a positive amount does not depend on whether the other is 0, so that
    I(X;Y) = I(X > 0; Y > 0) + P(both > 0) · (−½ log(1 − ρ²)), exactly.

    Attributes:
        wet: probabilities of (X > 0, Y > 0) as ((no no, no yes), (yes no, yes yes)).
        correlation: ρ, −1 < ρ < 1.
    """

    wet: tuple[tuple[float, float], tuple[float, float]]
    correlation: float

    dx = dy = 1

    @property
    @override
    def mutual_information(self) -> float:
        both = self.wet[1][1]
        return table_information(np.array(self.wet)) - 0.5 * both * float(np.log1p(-(self.correlation**2)))

    @override
    def sample(self, n: int, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
        state = rng.choice(4, size=(n, 1), p=np.ravel(self.wet))
        x, y = normal_pairs(n, self.correlation, rng)
        amounts = np.where(state >= 2, np.exp(x), 0.0), np.where(state % 2 == 1, np.exp(y), 0.0)
        return amounts[0].astype(np.float32), amounts[1].astype(np.float32)


@dataclass(frozen=True, eq=False)
class ClassesOnALine(ByTable):
    """X = k with probability p_k, and Y given X = k is N(c_k (1, …, 1)/√d, I).

    Only the projection on the line depends on the class, so that the truth is a one-dimensional integral.

    Attributes:
        probabilities: p_k with sum 1.
        centres: c_k, in standard deviations.
        dy: dimension d of Y.
    """

    probabilities: tuple[float, ...]
    centres: tuple[float, ...]
    dy: int

    dx = 1

    @override
    def masses(self) -> Array:
        """Masses of classes and nodes of the projection."""
        y, weights = nodes(min(self.centres) - 9, max(self.centres) + 9, 80)
        law = weights * np.exp(normal_log_density(y, np.array(self.centres)[:, None], 1.0))
        return np.array(self.probabilities)[:, None] * law

    @override
    def draw(self, n: int, rng: np.random.Generator) -> tuple[Array, Array]:
        """Draw n points in double precision: codes of classes, shape (n, 1), and Y, shape (n, dy)."""
        which = rng.choice(len(self.probabilities), size=n, p=self.probabilities)
        shift = np.array(self.centres)[which] / np.sqrt(self.dy)
        return which[:, None].astype(np.float64), shift[:, None] + rng.standard_normal((n, self.dy))


@dataclass(frozen=True, eq=False)
class GammaClasses(ByTable):
    """X = k with probability p_k, and Y given X = k is a gamma variable: durations by kind of job.

    Attributes:
        probabilities: p_k with sum 1.
        shapes: shapes of the gamma distributions.
        scales: scales of the gamma distributions.
    """

    probabilities: tuple[float, ...]
    shapes: tuple[float, ...]
    scales: tuple[float, ...]

    dx = dy = 1

    @override
    def masses(self) -> Array:
        """Masses of classes and nodes of log Y."""
        log_y, weights = nodes(-14, 6, 100)
        shape, scale = (np.array(each)[:, None] for each in (self.shapes, self.scales))
        log_law = shape * (log_y - np.log(scale)) - np.exp(log_y) / scale - gammaln(shape)
        return np.asarray(np.array(self.probabilities)[:, None] * weights * np.exp(log_law))

    @override
    def draw(self, n: int, rng: np.random.Generator) -> tuple[Array, Array]:
        """Draw n points in double precision: codes of classes and durations, shapes (n, 1) and (n, 1)."""
        which = rng.choice(len(self.probabilities), size=(n, 1), p=self.probabilities)
        return which.astype(np.float64), rng.gamma(np.array(self.shapes)[which], np.array(self.scales)[which])


@dataclass(frozen=True, eq=False)
class IndependentIntegers(JointDistribution):
    """Integers from 1 to a maximum, uniform and independent: ages, percentages, months.

    Attributes:
        x_states: the maximum of each column of X.
        y_states: the maximum of each column of Y.
    """

    x_states: tuple[int, ...]
    y_states: tuple[int, ...]

    @property
    @override
    def dx(self) -> int:  # type: ignore[override]
        return len(self.x_states)

    @property
    @override
    def dy(self) -> int:  # type: ignore[override]
        return len(self.y_states)

    @property
    @override
    def mutual_information(self) -> float:
        return 0.0

    @override
    def sample(self, n: int, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
        x, y = (
            rng.integers(1, np.array(each) + 1, (n, len(each))) for each in (self.x_states, self.y_states)
        )
        return x.astype(np.float32), y.astype(np.float32)


__all__ = [
    "Claims",
    "ClassesOnALine",
    "CountedDose",
    "GammaClasses",
    "Hurdle",
    "IndependentIntegers",
    "Survival",
]
