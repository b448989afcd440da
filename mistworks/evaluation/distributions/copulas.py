"""Archimedean and Farlie–Gumbel–Morgenstern copulas under skewed margins.

Mutual information is a property of the copula c alone: the pointwise value is log c(F(x), G(y)). Formulas
from Nelsen, "An Introduction to Copulas" (2006), sections 3.2.5 and 4.2.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
from scipy import stats

from mistworks.evaluation.distributions.pointwise import Array, PointwiseJoint

_SERIES = 2_000

MARGINS: Mapping[str, Any] = MappingProxyType(
    {
        "exponential": stats.expon(),
        "gamma": stats.gamma(0.5),
        "lognormal": stats.lognorm(1.0),
        "pareto": stats.pareto(1.5),
        "weibull": stats.weibull_min(0.7),
    }
)
"""Skewed distributions of one coordinate by name."""


class Copula(ABC):
    """A distribution on the unit square with uniform margins."""

    @abstractmethod
    def draw(self, n: int, rng: np.random.Generator) -> tuple[Array, Array]:
        """n pairs (u, v), each of shape (n,)."""

    @abstractmethod
    def log_density(self, u: Array, v: Array) -> Array:
        """log c(u, v), shape (n,)."""

    @property
    def mutual_information(self) -> float | None:
        """∬ c log c in nats where it has a closed form."""
        return None


@dataclass(frozen=True)
class GumbelHougaard(Copula):
    """C(u, v) = exp(−((−log u)^θ + (−log v)^θ)^(1/θ)): dependence of the upper tails.

    Attributes:
        theta: θ ≥ 1.
    """

    theta: float

    def draw(self, n: int, rng: np.random.Generator) -> tuple[Array, Array]:
        """n pairs, from a positive stable frailty of index 1/θ (Marshall and Olkin 1988)."""
        alpha = 1.0 / self.theta
        angle, waiting = rng.uniform(0.0, np.pi, n), rng.exponential(size=n)
        # Kanter's (1975) representation of the positive stable law.
        frailty = (np.sin((1 - alpha) * angle) / waiting) ** ((1 - alpha) / alpha)
        frailty *= np.sin(alpha * angle) / np.sin(angle) ** (1 / alpha)
        hazards = rng.exponential(size=(2, n)) / frailty
        u, v = np.exp(-(hazards**alpha))
        return u, v

    def log_density(self, u: Array, v: Array) -> Array:
        """log c(u, v), shape (n,)."""
        theta = self.theta
        a, b = -np.log(u), -np.log(v)
        total = a**theta + b**theta
        root = total ** (1 / theta)
        powers = (theta - 1) * np.log(a * b) + (2 / theta - 2) * np.log(total)
        return np.asarray(a + b - root + powers + np.log1p((theta - 1) / root))


@dataclass(frozen=True)
class Clayton(Copula):
    """C(u, v) = (u^−θ + v^−θ − 1)^(−1/θ): dependence of the lower tails.

    Attributes:
        theta: θ > 0.
    """

    theta: float

    def draw(self, n: int, rng: np.random.Generator) -> tuple[Array, Array]:
        """n pairs, from a gamma frailty of shape 1/θ (Marshall and Olkin 1988)."""
        frailty = rng.gamma(1.0 / self.theta, size=n)
        u, v = (1.0 + rng.exponential(size=(2, n)) / frailty) ** (-1.0 / self.theta)
        return u, v

    def log_density(self, u: Array, v: Array) -> Array:
        """log c(u, v), shape (n,)."""
        theta = self.theta
        total = u**-theta + v**-theta - 1.0
        powers = (1 + theta) * np.log(u * v) + (2 + 1 / theta) * np.log(total)
        return np.asarray(np.log1p(theta) - powers)


@dataclass(frozen=True)
class Frank(Copula):
    """C(u, v) = −log(1 + (e^−θu − 1)(e^−θv − 1)/(e^−θ − 1))/θ: dependence without tails.

    Attributes:
        theta: θ ≠ 0; the sign is that of the dependence.
    """

    theta: float

    def draw(self, n: int, rng: np.random.Generator) -> tuple[Array, Array]:
        """n pairs: v from the inverse of its distribution given u."""
        theta = self.theta
        u, level = rng.random((2, n))
        shrunk = level * np.expm1(-theta) / (level + (1 - level) * np.exp(-theta * u))
        return u, np.asarray(-np.log1p(shrunk) / theta)

    def log_density(self, u: Array, v: Array) -> Array:
        """log c(u, v), shape (n,)."""
        theta = self.theta
        gap = -np.expm1(-theta)
        rest = gap - np.expm1(-theta * u) * np.expm1(-theta * v)
        return np.asarray(np.log(theta * gap) - theta * (u + v) - 2 * np.log(np.abs(rest)))


@dataclass(frozen=True)
class FarlieGumbelMorgenstern(Copula):
    """c(u, v) = 1 + θ (1 − 2u)(1 − 2v): weak dependence.

    Attributes:
        theta: θ, −1 ≤ θ ≤ 1.
    """

    theta: float

    @property
    def mutual_information(self) -> float:
        """Σₘ θ²ᵐ / (2m (2m − 1) (2m + 1)²) in nats.

        With s = 1 − 2u and t = 1 − 2v uniform on (−1, 1), expand (1 + θst) log(1 + θst) in powers of θst: the
        odd ones have mean 0, and E[(st)²ᵐ] = 1/(2m + 1)².
        """
        power = 2.0 * np.arange(1, _SERIES)
        terms = np.abs(self.theta) ** power / (power * (power - 1) * (power + 1) ** 2)
        return float(terms.sum())

    def draw(self, n: int, rng: np.random.Generator) -> tuple[Array, Array]:
        """n pairs: v from the inverse of its distribution given u, the root of a quadratic."""
        u, level = rng.random((2, n))
        slope = self.theta * (1 - 2 * u)
        return u, 2 * level / (1 + slope + np.sqrt(np.square(1 + slope) - 4 * slope * level))

    def log_density(self, u: Array, v: Array) -> Array:
        """log c(u, v), shape (n,)."""
        return np.asarray(np.log1p(self.theta * (1 - 2 * u) * (1 - 2 * v)))


@dataclass(frozen=True)
class CopulaJoint(PointwiseJoint):
    """A copula under margins of its own for X and Y.

    Attributes:
        copula: the dependence.
        x_margin: name of the distribution of X, one of ``MARGINS``.
        y_margin: name of that of Y.
    """

    copula: GumbelHougaard | Clayton | Frank | FarlieGumbelMorgenstern
    x_margin: str
    y_margin: str

    dx = dy = 1

    @property
    def closed_form(self) -> float | None:
        """I(X;Y) in nats where the copula's is known."""
        return self.copula.mutual_information

    def draw(self, n: int, rng: np.random.Generator) -> tuple[Array, Array]:
        """n points in double precision: shapes (n, 1) and (n, 1)."""
        u, v = self.copula.draw(n, rng)
        return MARGINS[self.x_margin].ppf(u)[:, None], MARGINS[self.y_margin].ppf(v)[:, None]

    def pointwise(self, x: Array, y: Array) -> Array:
        """log c(F(x), G(y)) in nats, shape (n,)."""
        u, v = MARGINS[self.x_margin].cdf(x[:, 0]), MARGINS[self.y_margin].cdf(y[:, 0])
        return self.copula.log_density(u, v)
